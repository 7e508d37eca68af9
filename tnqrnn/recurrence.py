"""The loop over time of every recurrent network of ours; `QuantumRecurrence` for those whose state is a quantum state.

A network says what its state is and what one timestep does to it. Segments, noise, sequences that end early and
continued calls are the loop's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backends import Backend, Circuit, InvalidInput, State, create_backend
from backends.errors import require_positive_int
from tnqrnn.ansatz import Ansatz, circuit_of
from tnqrnn.noise import Measurement, ReadoutNoise
from tnqrnn.segments import recomputed, require_segment_length, segments
from tnqrnn.sequences import SequenceNetwork, without_padding
from tnqrnn.settings import IN_OBJECTS, CellSettings, settled
from tnqrnn.states import CellState, HiddenState, require_state

_COMPLEX = {torch.float64: torch.complex128}

# x (batch, input_size), the state before and its readouts -> the state after and its readouts (batch, output_size).
Timestep = Callable[[Tensor, Any, Tensor], tuple[Any, Tensor]]


class Recurrence(SequenceNetwork):
    """A recurrent network that takes one timestep after the other.

    The state is a bundle of real tensors, each (batch, size) for the sizes in `state_sizes`, unless a subclass says
    otherwise. With `segment_length`, a call keeps the state at the ends of segments of so many timesteps for the
    backward, and computes the timesteps inside again (see `segments`); None, or a call that is no longer, keeps all.
    """

    def __init__(
        self,
        who: str,
        input_size: int,
        output_size: int,
        state_sizes: Sequence[int],
        *,
        readout_dropout: float = 0.0,
        segment_length: int | None = None,
    ) -> None:
        super().__init__(who, input_size, output_size, readout_dropout)
        self.state_sizes = tuple(state_sizes)
        self.segment_length = require_segment_length(who, segment_length)

    # What a network says of itself -----------------------------------------------------------------------------------

    def begin(self, x: Tensor) -> Timestep:
        """Return what one timestep does, with everything computed that all timesteps of the call on `x` share."""
        raise NotImplementedError

    def initial_state(self, x: Tensor) -> HiddenState:
        """Return the state before the first timestep of x (batch, time, input_size): zeros, by default."""
        return CellState(tuple(x.new_zeros(len(x), size) for size in self.state_sizes))

    def require_state(self, state: Any, x: Tensor) -> None:
        """Refuse to go on with x (batch, time, input_size) from what is no state of this network and batch."""
        require_state(self.who, state, self.state_sizes, len(x), x)

    def read(self, state: Any) -> Tensor:
        """Return the readouts of a state, (batch, output_size), without noise: its first tensor, by default."""
        readouts: Tensor = state.tensors[0]
        return readouts

    def measurement(self, x: Tensor) -> Measurement | None:
        """Return what measures the readouts of the call on `x`; None where they are exact."""
        return None

    # What all of them do ---------------------------------------------------------------------------------------------

    def through_time(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """Return the readouts of every timestep, (batch, time, output_size), and the final state.

        The final state keeps what was measured of it, so that every timestep is measured once: a call that continues
        feeds back these readouts; a state without them is measured now. With `state_depolarising`, a continued state is
        refused (InvalidInput): its age is not known.
        """
        measure = self.measurement(x)
        state, z = self._start(x, state, measure)
        timestep, pieces, parts = self.begin(x), [], segments(x.shape[1], self.segment_length)
        for part in parts:
            drawn = None if measure is None else measure.position()
            state, z, readouts = recomputed(
                self._advance, timestep, x, part, state, z, lengths, measure, drawn, when=len(parts) > 1
            )
            pieces.append(readouts)
        return without_padding(torch.cat(pieces, 1), lengths), state.measured(z)

    def _start(self, x: Tensor, state: Any, measure: Measurement | None) -> tuple[Any, Tensor]:
        """Return the state in which a call begins, and the readouts (batch, output_size) that are fed back first.

        Those of the state in which every sequence begins are known without noise.
        """
        if state is None:
            state = self.initial_state(x)
            return state, self.read(state)
        self.require_state(state, x)
        if measure is not None:
            measure.noise.require_start(self.who)
        if state.readouts is not None:
            return state, state.readouts
        z = self.read(state)
        return state, z if measure is None else measure(z, 0)

    def _advance(
        self,
        timestep: Timestep,
        x: Tensor,  # (batch, time, input_size)
        timesteps: range,
        state: Any,
        z: Tensor,  # (batch, output_size)
        lengths: Tensor | None,
        measure: Measurement | None,
        drawn: Tensor | None,
    ) -> tuple[Any, Tensor, Tensor]:
        """Return state and readouts after some of the timesteps, and the readouts (batch, timesteps, output_size)."""
        if measure is not None:
            measure.go_back_to(drawn)
        readouts = []
        for t in timesteps:
            stepped, read = timestep(x[:, t], state, z)
            if measure is not None:
                read = measure(read, t + 1)
            if lengths is not None and t > 0:  # what ended stays as it was; chosen, as NaN times zero would be NaN
                stepped = stepped.measured(read).where(lengths > t, state.measured(z))
                read = self.read(stepped) if stepped.readouts is None else stepped.readouts
            state, z = stepped, read
            readouts.append(z)
        return state, z, torch.stack(readouts, 1)


class OnBackend(nn.Module):
    """A module that runs one circuit on a backend, in the precision of its parameters.

    float64 -> complex128, float32 and below -> complex64, unless `backend_options` has a dtype.
    """

    circuit: Circuit
    backend_name: str
    backend_options: dict[str, Any]

    def choose_backend(self, who: str, circuit: Circuit, settings: CellSettings) -> None:
        """Set circuit and backend; call it last in a constructor, because it refuses wrong settings at once."""
        options = settings.backend_options or {}
        if not isinstance(options, Mapping):
            raise InvalidInput(f"{who}: backend_options must map names to values, got {options!r}.")
        self.circuit = circuit
        self.backend_name, self.backend_options = settings.backend, {str(k): v for k, v in options.items()}
        self._backends: dict[torch.dtype, Backend[Any]] = {}
        _ = self.backend  # refuses wrong settings now, not at the first forward

    @property
    def weight(self) -> Tensor:
        """A parameter whose dtype and device are those of the module."""
        raise NotImplementedError

    @property
    def backend(self) -> Backend[Any]:
        """The backend, in the precision of the parameters unless `backend_options` has a dtype."""
        dtype = self.backend_options.get("dtype", _COMPLEX.get(self.weight.dtype, torch.complex64))
        if dtype not in self._backends:
            self._backends[dtype] = create_backend(
                self.backend_name, self.circuit, **{**self.backend_options, "dtype": dtype}
            )
        return self._backends[dtype]


class QuantumCell(OnBackend):
    """One timestep of a quantum recurrence; a subclass says where the angles come from.

    Arguments as for `QRNN`. `uses` are the settings that it looks at, `output_size` is 3 n_qubits.
    """

    name: str
    uses: frozenset[str]

    def __init__(
        self, input_size: int, ansatz: Ansatz | Circuit, settings: CellSettings | None = None, **given: Any
    ) -> None:
        super().__init__()
        settings = settled(self.name, settings, given, self.uses - IN_OBJECTS)
        self.input_size = require_positive_int(self.name, "input_size", input_size)
        evolution = circuit_of(self.name, ansatz)
        self.output_size = 3 * evolution.n_qubits
        self.choose_backend(self.name, self.make(evolution, settings), settings)

    def make(self, evolution: Circuit, settings: CellSettings) -> Circuit:
        """Make the weights, given the circuit of the ansatz; return that of a timestep, to which `angles` belong."""
        raise NotImplementedError

    def angles(
        self,
        x: Tensor,  # (batch, input_size)
        z: Tensor,  # (batch, 3 n_qubits), the last readouts
    ) -> Tensor:  # (batch, n_angles)
        """Return the angles in radians of the circuit of one timestep."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State, z: Tensor) -> tuple[State, Tensor]:
        """Advance one timestep: x (batch, input_size), the state and its readouts z -> the new state and readouts."""
        return self.backend.step(state, self.angles(x, z))

    def extra_repr(self) -> str:
        """Show what the parameters do not."""
        return f"{self.input_size}, {self.circuit!r}, backend={self.backend_name!r}, options={self.backend_options}"


class QuantumRecurrence(Recurrence):
    """A `QuantumCell` over sequences, used as torch.nn.LSTM with batch_first=True.

    `noise` changes the readouts, those that are fed back and those that leave alike. `dropout` is the cell's own, or
    that of readouts that leave, where the cell `drops_readouts`.
    """

    cell_type: ClassVar[type[QuantumCell]]
    drops_readouts: ClassVar[bool] = False

    def __init__(
        self,
        input_size: int,
        ansatz: Ansatz | Circuit,
        noise: ReadoutNoise | None = None,
        settings: CellSettings | None = None,
        **given: Any,
    ) -> None:
        who = self.cell_type.name
        settings = settled(who, settings, given, self.cell_type.uses - IN_OBJECTS)
        if noise is not None and not isinstance(noise, ReadoutNoise):
            raise InvalidInput(f"{who}: noise must be a ReadoutNoise or None, got {type(noise).__name__}.")
        dropout = settings.dropout if self.drops_readouts else 0.0
        cell = self.cell_type(input_size, ansatz, replace(settings, dropout=0.0) if self.drops_readouts else settings)
        length, sizes = settings.segment_length, (cell.input_size, cell.output_size)
        super().__init__(who, *sizes, state_sizes=(), readout_dropout=dropout, segment_length=length)
        self.cell, self.noise = cell, noise
        if length is not None and cell.backend_options.get("gradient") == "reversible":
            raise InvalidInput(
                f"{who}: gradient='reversible' stores no state that segment_length {length} could spare; leave one of "
                "them out."
            )

    @property
    def backend(self) -> Backend[Any]:
        """The backend that holds the state."""
        return self.cell.backend

    def require_memory(self, batch_size: int, device: torch.device) -> None:
        """Refuse a batch whose step does not fit the memory that is free on `device`; allocates nothing."""
        self.backend.require_memory(batch_size, device)

    def initial_state(self, x: Tensor) -> State:
        """Return |0...0> for every sequence."""
        state: State = self.backend.initial_state(x.shape[0], x.device)
        return state

    def require_state(self, state: Any, x: Tensor) -> None:
        self.backend.require_state(state)
        if state.batch_size != len(x):
            raise InvalidInput(
                f"{self.who}: x has batch {len(x)}, the state has batch {state.batch_size}; select samples with "
                "state[indices]."
            )

    def read(self, state: State) -> Tensor:
        return self.backend.readout(state)

    def begin(self, x: Tensor) -> Timestep:
        return self.cell

    def measurement(self, x: Tensor) -> Measurement | None:
        return None if self.noise is None else self.noise.of_call(x, self.training)
