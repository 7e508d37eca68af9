"""Memory of large states: mapped pages that are used again.

A training run makes and drops states of one size all the time. On the heap, small tensors that live on would settle in
the gaps between them, and the memory of a reversible run would grow with the timesteps after all (measured: 4 MiB for
each timestep of 14 qubits). Pages mapped afresh for each state cost a third of a training step of 12 qubits, because
the system must clear them. So pages whose state is gone are kept for the next state of that size.
"""

from __future__ import annotations

import mmap
import weakref

import torch
from torch import Tensor

# Bytes from which a state gets pages of its own.
_MAPPED = 2**20

# Pages that no state uses: all of the size last returned.
_free: list[mmap.mmap] = []


def new_state(like: Tensor) -> Tensor:
    """Return uninitialised, contiguous amplitudes on the CPU, of the shape and dtype of `like`."""
    size = like.numel() * like.element_size()
    if size < _MAPPED:
        return torch.empty_like(like, memory_format=torch.contiguous_format)
    pages = _take(size)
    view = memoryview(pages)
    weakref.finalize(view, _give_back, pages).atexit = False
    return torch.frombuffer(view, dtype=like.dtype).reshape(like.shape)


def _take(size: int) -> mmap.mmap:
    try:
        pages = _free.pop()
    except IndexError:
        return _map(size)
    return pages if len(pages) == size else _map(size)


def _map(size: int) -> mmap.mmap:
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _give_back(pages: mmap.mmap) -> None:
    if _free and len(_free[-1]) != len(pages):
        _free.clear()
    _free.append(pages)
