"""States that are recovered instead of stored: memory for the backward that does not grow with the timesteps.

A circuit is unitary, so the state before a timestep follows from the state after it and the angles. With
`gradient="reversible"` every state carries a `Moment`; when the next timestep starts, the moment lets its amplitudes
go. The backward passes through the timesteps last to first, and each hands the state it recovers to the one before.

Amplitudes kept in a moment are not among the tensors that autograd saves and watches. A moment watches them itself, by
the same count of writes: a state that was written to in place is another one.
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
    version: int = 0  # of the amplitudes when they came: how often they had been written to in place

    def is_of(self, amplitudes: Tensor) -> bool:
        """Return whether the amplitudes of the state that carries this moment are still those of the moment."""
        return amplitudes._version == self.version

    def give_way(self, following: Moment, undo: Undo) -> None:
        """Let the amplitudes go, now that a timestep leads to the moment `following`."""
        self.following = following, undo
        self.amplitudes = None

    def hold(self, amplitudes: Tensor) -> None:
        """Take amplitudes, which the backward of the timestep before needs."""
        self.amplitudes, self.version = amplitudes, amplitudes._version

    def take(self) -> Tensor:
        """Return the amplitudes, recovered from a later moment if need be, and let them go if they can be again."""
        undoing, moment = list[Undo](), self
        while moment.amplitudes is None:
            assert moment.following is not None  # the last moment of a run always has its amplitudes
            moment, undo = moment.following
            undoing.append(undo)
        amplitudes = moment.amplitudes
        if not moment.is_of(amplitudes):
            raise RuntimeError(
                "statevector: a state of a run with gradient='reversible' was written to in place, and its backward "
                "needs what stood there; write to a copy, state.amplitudes.clone()."
            )
        for undo in reversed(undoing):
            amplitudes = undo(amplitudes)
        if self.following is not None:
            self.amplitudes = None
        return amplitudes
