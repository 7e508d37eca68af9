"""`HiddenState`, what every recurrent network hands on, and `CellState`, that of a cell without a quantum state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from backends.errors import InvalidInput
from backends.samples import Index, chosen_samples, where


class HiddenState(Protocol):
    """The state between two timesteps: a `backends.State` or a `CellState`. Immutable; autograd flows through it.

    `detach` cuts it from the graph (truncated backpropagation through time), `to` moves it to another device, an index
    chooses samples (the batch axis stays), and `where` takes per sample this state where `mask` (batch,) is true and
    `other` elsewhere. `measured` keeps the readouts (batch, output_size) of a state that would have to be measured
    again for them.
    """

    @property
    def tensors(self) -> tuple[Tensor, ...]: ...  # each with the batch as its leading axis

    @property
    def readouts(self) -> Tensor | None: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    def detach(self) -> Self: ...

    def to(self, device: torch.device | str) -> Self: ...

    def __getitem__(self, index: Index) -> Self: ...

    def where(self, mask: Tensor, other: Self) -> Self: ...

    def measured(self, readouts: Tensor | None) -> Self: ...


@dataclass(frozen=True, eq=False)
class CellState:
    """Real tensors, each with the batch as its leading axis. Its readouts follow from them, so it keeps none."""

    tensors: tuple[Tensor, ...]
    readouts: ClassVar[None] = None

    @property
    def batch_size(self) -> int:
        return self.tensors[0].shape[0]

    @property
    def device(self) -> torch.device:
        return self.tensors[0].device

    def measured(self, readouts: Tensor | None) -> CellState:
        return self

    def detach(self) -> CellState:
        return CellState(tuple(tensor.detach() for tensor in self.tensors))

    def to(self, where: torch.device | str | torch.dtype) -> CellState:
        """Return the state on another device, or in another dtype."""
        return CellState(tuple(tensor.to(where) for tensor in self.tensors))

    def __getitem__(self, index: Index) -> CellState:
        numbers = chosen_samples(index, self.batch_size, self.device)
        return CellState(tuple(tensor[numbers] for tensor in self.tensors))

    def where(self, mask: Tensor, other: CellState) -> CellState:
        pairs = zip(self.tensors, other.tensors, strict=True)
        return CellState(tuple(where(mask, a, b) for a, b in pairs))


def require_state(who: str, state: object, sizes: Sequence[int], batch_size: int, like: Tensor) -> CellState:
    """Return `state` if its tensors are (batch_size, size) for these sizes, of dtype and device of `like`."""
    shapes = [(batch_size, size) for size in sizes]
    if isinstance(state, CellState):
        same = all(tensor.dtype == like.dtype and tensor.device == like.device for tensor in state.tensors)
        if same and [tuple(tensor.shape) for tensor in state.tensors] == shapes:
            return state
    found = [tuple(tensor.shape) for tensor in state.tensors] if isinstance(state, CellState) else type(state).__name__
    raise InvalidInput(
        f"{who}: needs a state with tensors of shapes {shapes} in {like.dtype} on {like.device}, got {found}; pass on "
        "what an earlier call returned, or None to start."
    )
