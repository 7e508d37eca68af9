"""States that are recovered instead of stored: memory for the backward that does not grow with the timesteps.

A circuit is unitary, so the state before a timestep follows from the state after it and the angles. With
`gradient="reversible"` every state carries a `Moment`; when the next timestep starts, the moment lets its amplitudes
go. The backward passes through the timesteps last to first, and each hands the state it recovers to the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

# Undoes the timestep after a moment: from the amplitudes after it to those before it.
Undo = Callable[[Tensor], Tensor]


@dataclass(eq=False)
class Moment:
    """One point in time of a run: its amplitudes (batch, 2**n), or the way back to them from the following moment."""

    amplitudes: Tensor | None
    following: tuple[Moment, Undo] | None = None

    def give_way(self, following: Moment, undo: Undo) -> None:
        """Let the amplitudes go, now that a timestep leads to the moment `following`."""
        self.following = following, undo
        self.amplitudes = None

    def hold(self, amplitudes: Tensor) -> None:
        """Take recovered amplitudes, which the backward of the timestep before needs next."""
        self.amplitudes = amplitudes

    def take(self) -> Tensor:
        """Return the amplitudes, recovered from a later moment if need be, and let them go if they can be again."""
        undoing, moment = list[Undo](), self
        while moment.amplitudes is None:
            assert moment.following is not None  # the last moment of a run always has its amplitudes
            moment, undo = moment.following
            undoing.append(undo)
        amplitudes = moment.amplitudes
        for undo in reversed(undoing):
            amplitudes = undo(amplitudes)
        if self.following is not None:
            self.amplitudes = None
        return amplitudes
