"""How much autograd keeps for the backward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


@dataclass
class Stored:
    """Bytes that autograd keeps for the backward pass."""

    bytes: int = 0


@contextmanager
def stored_for_backward() -> Iterator[Stored]:
    """Count the bytes of all tensors that are saved for the backward within the block, shared storage once.

    Holds every saved tensor until the block ends, as the graph does: an address must not be used twice.
    """
    stored, seen = Stored(), dict[int, Tensor]()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen[storage.data_ptr()] = tensor
            stored.bytes += storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        yield stored
