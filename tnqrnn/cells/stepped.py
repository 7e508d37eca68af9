"""`SteppedCell`: the loop over time of the cells whose hidden state is a bundle of real tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from backends.errors import require_number, require_positive_int
from tnqrnn.sequences import SequenceNetwork, without_padding
from tnqrnn.states import CellState, require_state

# x_t (batch, input_size) and the state before -> the state after and the readouts (batch, output_size).
Step = Callable[[Tensor, CellState], tuple[CellState, Tensor]]


class SteppedCell(SequenceNetwork):
    """A recurrent network called `(x, state, lengths) -> (z, state)`; a subclass says what one timestep does.

    `state_sizes` are the widths of the state's tensors, each (batch, size). `readout_dropout` drops readouts that
    leave the cell, not what it feeds back.
    """

    name: str

    def __init__(
        self, input_size: int, output_size: int, state_sizes: Sequence[int], readout_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.input_size = require_positive_int(self.name, "input_size", input_size)
        self.output_size = output_size
        self.state_sizes = tuple(state_sizes)
        self.readout_dropout = nn.Dropout(require_number(self.name, "dropout", readout_dropout, 0, 1))

    def initial_state(self, batch_size: int, like: Tensor) -> CellState:
        """Return the state before the first timestep, zeros by default, in dtype and on the device of `like`."""
        return CellState(tuple(like.new_zeros(batch_size, size) for size in self.state_sizes))

    def begin(self, x: Tensor) -> Step:
        """Return what one timestep does, with everything computed that all timesteps of the call on `x` share."""
        raise NotImplementedError

    @property
    def who(self) -> str:
        return self.name

    @property
    def weight(self) -> Tensor:
        return next(self.parameters())

    def through_time(self, x: Tensor, state: CellState | None, lengths: Tensor | None) -> tuple[Tensor, CellState]:
        if state is None:
            state = self.initial_state(len(x), x)
        else:
            require_state(self.name, state, self.state_sizes, len(x), x)
        step, readouts = self.begin(x), []
        for t in range(x.shape[1]):
            stepped, z = step(x[:, t], state)
            stepped = stepped.to(x.dtype)  # within autocast too, where a step may return half precision
            if lengths is not None and t > 0:
                stepped = stepped.where(lengths > t, state)
            state = stepped
            readouts.append(z)
        return self.readout_dropout(without_padding(torch.stack(readouts, 1), lengths)), state
