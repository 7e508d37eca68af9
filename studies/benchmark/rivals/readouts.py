"""Readouts, and matrices of gates, for simulators that hand out their amplitudes or their site tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from backends.circuits.gates import from_factors, one_qubit_matrix, schmidt_factors
from studies.benchmark.workload import Workload


def gate_matrices(
    workload: Workload,
    angles: Tensor,  # (batch, n_angles)
) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Qubits and complex64 matrices (batch, d, d) of a timestep's gates, RY and RZ of a qubit as one."""
    rotation = {}
    for name, qubits, angle in workload.gates(angles.split(1, 1)):
        if name == "ry":
            rotation[qubits] = one_qubit_matrix(name, angle, torch.complex64)
        elif name == "rz":
            yield qubits, one_qubit_matrix(name, angle, torch.complex64) @ rotation[qubits]
        else:
            yield qubits, from_factors(*schmidt_factors(name, angle, torch.complex64))


def of_densities(densities: Sequence[Tensor]) -> Tensor:
    """X, Y and Z of every qubit, (..., 3n), from its density matrix (..., 2, 2) up to a factor."""
    density = torch.stack(list(densities), -3)
    norm, flip = (density[..., 0, 0] + density[..., 1, 1]).real, density[..., 1, 0]
    z = (density[..., 0, 0] - density[..., 1, 1]).real
    return torch.cat([2 * flip.real / norm, 2 * flip.imag / norm, z / norm], -1)


def of_amplitudes(psi: Tensor) -> Tensor:
    """X, Y and Z of every qubit from amplitudes (batch, 2, ..., 2): (batch, 3n)."""
    columns: list[list[Tensor]] = [[], [], []]
    for axis in range(1, psi.dim()):
        zero, one = (part.flatten(1) for part in psi.unbind(axis))
        flip = (zero.conj() * one).sum(1)
        columns[0].append(2 * flip.real)
        columns[1].append(2 * flip.imag)
        columns[2].append((zero.abs() ** 2 - one.abs() ** 2).sum(1))
    return torch.stack([value for column in columns for value in column], 1)


def of_sites(sites: Sequence[Tensor]) -> Tensor:
    """X, Y and Z of every qubit of the normalised state, (batch, 3n), whatever the gauge of its sites.

    A site is (batch, left bond, 2, right bond).
    """
    batch = sites[0].shape[0]
    one = torch.ones(batch, 1, 1, dtype=sites[0].dtype)
    rights = [one]  # environments of the right bonds, (batch, ket, bra)
    for site in reversed(sites[1:]):
        rights.append((site @ rights[-1][:, None]).flatten(2) @ site.flatten(2).mH)
    left, densities = one, []
    for site, right in zip(sites, reversed(rights), strict=True):
        opened = (left.mT @ site.flatten(2)).reshape(batch, -1, *site.shape[2:])  # (batch, bra, 2, ket)
        closed = opened @ right[:, None]  # (batch, bra, 2, bra)
        densities.append(closed.transpose(1, 2).flatten(2) @ site.transpose(1, 2).flatten(2).mH)
        left = opened.flatten(1, 2).mT @ site.flatten(1, 2).conj()  # (batch, ket, bra)
    return of_densities(densities)
