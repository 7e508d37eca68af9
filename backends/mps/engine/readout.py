"""One-qubit readouts and Schmidt values of an MPS in canonical form."""

from __future__ import annotations

import torch
from torch import Tensor

from backends.local import one_qubit_readouts
from backends.mps.engine.moves import shift_centre
from backends.mps.engine.split import safe_svd
from backends.mps.state import MPSState
from backends.schmidt import schmidt_values_of_dense
from backends.sums import total


def readouts(state: MPSState) -> Tensor:
    """All X, then Y, then Z of the normalised state, (batch, 3 n_qubits).

    The sites are isometries towards the centre, so one sweep outwards from it yields every one-site density matrix: the
    environment of a site is that of its neighbour nearer to the centre, contracted with the neighbour's tensor.
    """
    sites, centre = state.sites, state.centre
    blocks = {centre: _normalised(sites[centre], sites[centre])}
    environment = _right_environment(sites[centre], sites[centre])
    for site in range(centre - 1, -1, -1):
        ket = sites[site] @ environment[:, None]
        blocks[site] = _normalised(sites[site], ket)
        environment = _right_environment(sites[site], ket)
    environment = _left_environment(sites[centre], sites[centre])
    for site in range(centre + 1, len(sites)):
        batch, left, width, right = sites[site].shape
        ket = (environment @ sites[site].reshape(batch, left, -1)).reshape(batch, left, width, right)
        blocks[site] = _normalised(sites[site], ket)
        environment = _left_environment(sites[site], ket)
    paulis = [torch.cat([blocks[site][pauli] for site in range(len(sites))], -1) for pauli in range(3)]
    return torch.cat(paulis, -1).to(sites[centre].real.dtype)


def _normalised(bra: Tensor, ket: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """X, Y and Z of a site's qubits in units of the site's own trace (see the kernel's), each (batch, width)."""
    trace = total(bra.conj() * ket).real[:, None]
    x, y, z = one_qubit_readouts(bra, ket)
    return x / trace, y / trace, z / trace


def _right_environment(bra: Tensor, ket: Tensor) -> Tensor:
    """Environment of the left neighbour's right bond: (batch, ket bond, bra bond)."""
    return ket.flatten(2) @ bra.flatten(2).mH


def _left_environment(bra: Tensor, ket: Tensor) -> Tensor:
    """Environment of the right neighbour's left bond: (batch, bra bond, ket bond)."""
    return bra.flatten(1, 2).mH @ ket.flatten(1, 2)


def schmidt_values(state: MPSState) -> list[Tensor]:
    """Schmidt values at all n_qubits - 1 cuts, (batch, rank)."""
    values = []
    sites, centre = list(state.sites), state.centre
    for site in range(len(sites)):
        centre = shift_centre(sites, centre, site)
        if site > 0:
            values.append(safe_svd(sites[site].flatten(2))[1])
        values += schmidt_values_of_dense(sites[site])
    return values
