"""One-qubit readouts and Schmidt values of an MPS in canonical form."""

from __future__ import annotations

import torch
from torch import Tensor

from backends.local import one_qubit_readouts
from backends.mps.moves import shift_centre
from backends.mps.split import safe_svd
from backends.mps.state import MPSState
from backends.schmidt import schmidt_values_of_dense


def readouts(state: MPSState) -> Tensor:
    """All X, then Y, then Z of the normalised state, (batch, 3 n_qubits).

    The sites are isometries towards the centre, so one sweep outwards from it yields every one-site density matrix: the
    environment of a site is that of its neighbour nearer to the centre, contracted with the neighbour's tensor.
    """
    sites, centre = state.sites, state.centre
    blocks = {centre: one_qubit_readouts(sites[centre], sites[centre])}
    environment = _right_environment(sites[centre], sites[centre])
    for site in range(centre - 1, -1, -1):
        ket = sites[site] @ environment[:, None]
        blocks[site] = one_qubit_readouts(sites[site], ket)
        environment = _right_environment(sites[site], ket)
    environment = _left_environment(sites[centre], sites[centre])
    for site in range(centre + 1, len(sites)):
        batch, left, width, right = sites[site].shape
        ket = (environment @ sites[site].reshape(batch, left, -1)).reshape(batch, left, width, right)
        blocks[site] = one_qubit_readouts(sites[site], ket)
        environment = _left_environment(sites[site], ket)
    norm = torch.linalg.vector_norm(sites[centre].flatten(1), dim=1, keepdim=True).square()
    paulis = [torch.cat([blocks[site][pauli] for site in range(len(sites))], -1) for pauli in range(3)]
    normalised: Tensor = torch.cat(paulis, -1) / norm
    return normalised


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
