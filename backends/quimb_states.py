"""quimb's states as arrays of ours: site by site where they are chains, else as all amplitudes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import InvalidInput

if TYPE_CHECKING:
    import quimb.tensor as qtn


def check_networks(who: str, states: object, n_qubits: int) -> list[Any]:
    """Return one network, or a sequence of them, as a list; refuses what has not the open indices k0, k1, ... alone."""
    networks: list[Any] = list(states) if isinstance(states, list | tuple) else [states]
    if not networks or not all(hasattr(network, "outer_inds") for network in networks):
        raise InvalidInput(
            f"{who}: from_quimb needs a quimb tensor network or a sequence of at least one, got {states!r:.80}."
        )
    for network in networks:
        sizes = {index: network.ind_size(index) for index in network.outer_inds()}
        if sizes != {f"k{qubit}": 2 for qubit in range(n_qubits)}:
            raise InvalidInput(
                f"{who}: from_quimb needs a network whose open indices are k0 to k{n_qubits - 1}, each of size 2; this "
                f"one has {len(sizes)}: {', '.join(f'{index} of size {size}' for index, size in sizes.items())!s:.80}."
            )
    return networks


def dense(network: qtn.TensorNetwork, n_qubits: int) -> Tensor:
    """All amplitudes, (2**n_qubits,), qubit 0 most significant."""
    return _as_tensor(network.to_dense([f"k{qubit}" for qubit in range(n_qubits)])).reshape(-1)


def chain(network: qtn.TensorNetwork, n_qubits: int) -> list[Tensor] | None:
    """The tensors of a chain in the order of its qubits, each (left bond, 2**its qubits, right bond); else None.

    A chain: every tensor has one or more neighbouring qubits, and shares indices with its neighbours only.
    """
    place = {f"k{qubit}": qubit for qubit in range(n_qubits)}
    parts = [(sorted(place[index] for index in tensor.inds if index in place), tensor) for tensor in network.tensors]
    if not all(qubits for qubits, _ in parts):
        return None
    parts.sort(key=lambda part: part[0])
    if [qubit for qubits, _ in parts for qubit in qubits] != list(range(n_qubits)):
        return None
    bonds = [set(tensor.inds) - place.keys() for _, tensor in parts]
    shared = [left & right for left, right in pairwise(bonds)]
    sites = []
    for bond, left, right, (qubits, tensor) in zip(bonds, [set(), *shared], [*shared, set()], parts, strict=True):
        if bond != left | right or left & right:
            return None
        order = [*sorted(left), *(f"k{qubit}" for qubit in qubits), *sorted(right)]
        array = _as_tensor(tensor.data).permute([tensor.inds.index(index) for index in order])
        sites.append(array.reshape(_size(tensor, left), -1, _size(tensor, right)))
    return sites


def right_orthonormal(
    sites: list[Tensor],  # each (left bond, width, right bond)
) -> list[Tensor]:  # each (left bond, width, right bond)
    """The same normalised state, its sites after the first orthonormal towards the left: the centre in the first."""
    sites = [_scaled(site) for site in sites]
    for place in range(len(sites) - 1, 0, -1):
        _, width, right = sites[place].shape
        q, r = torch.linalg.qr(sites[place].flatten(1).T)
        sites[place] = q.T.reshape(-1, width, right)
        sites[place - 1] = _scaled(sites[place - 1] @ r.T)  # on the way: no product of norms leaves the numbers' range
    sites[0] = _scaled(sites[0])
    sites[0] = sites[0] / torch.linalg.vector_norm(sites[0]).clamp(min=1)
    return sites


def _scaled(site: Tensor) -> Tensor:
    """With a largest number of size one, unless all are zero: the squares of the smallest numbers are no numbers."""
    largest = site.abs().max()
    return site / torch.where(largest > 0, largest, torch.ones_like(largest))


def _size(tensor: qtn.Tensor, indices: Iterable[str]) -> int:
    return prod(tensor.ind_size(index) for index in indices)


def _as_tensor(array: Any) -> Tensor:
    """A copy in complex128 on the CPU, of numpy's arrays and of torch's."""
    array = array.detach().cpu().resolve_conj() if isinstance(array, Tensor) else array
    return torch.tensor(np.asarray(array), dtype=torch.complex128)
