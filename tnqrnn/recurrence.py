"""The loop over time of every network whose hidden state is a quantum state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from backends import Backend, Circuit, InvalidInput, State, create_backend
from backends.errors import require_number
from tnqrnn.noise import Measurement, ReadoutNoise
from tnqrnn.segments import recomputed, require_segment_length, segments
from tnqrnn.sequences import SequenceNetwork, require_batch, without_padding
from tnqrnn.settings import CellSettings

_COMPLEX = {torch.float64: torch.complex128}


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
    """One timestep of a quantum recurrence; a subclass says where the angles come from."""

    name: str
    input_size: int
    output_size: int  # 3 n_qubits

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


class QuantumRecurrence(SequenceNetwork):
    """A `QuantumCell` over sequences, used as torch.nn.LSTM with batch_first=True.

    `noise` changes the readouts, those that are fed back and those that leave alike; `readout_dropout` drops readouts
    that leave. With `segment_length`, a call keeps the state at the ends of segments of so many timesteps for the
    backward, and computes the timesteps inside again (see `segments`); None, or a call that is no longer, keeps all.
    """

    def __init__(
        self,
        cell: QuantumCell,
        noise: ReadoutNoise | None = None,
        readout_dropout: float = 0.0,
        segment_length: int | None = None,
    ) -> None:
        super().__init__()
        if noise is not None and not isinstance(noise, ReadoutNoise):
            raise InvalidInput(f"{cell.name}: noise must be a ReadoutNoise or None, got {type(noise).__name__}.")
        self.cell = cell
        self.noise = noise if noise is not None and noise.changes_readouts else None
        self.readout_dropout = nn.Dropout(require_number(cell.name, "dropout", readout_dropout, 0, 1))
        self.segment_length = require_segment_length(cell.name, segment_length)
        if segment_length is not None and cell.backend_options.get("gradient") == "reversible":
            raise InvalidInput(
                f"{cell.name}: gradient='reversible' stores no state that segment_length {segment_length} could spare; "
                "leave one of them out."
            )

    @property
    def who(self) -> str:
        return self.cell.name

    @property
    def weight(self) -> Tensor:
        return self.cell.weight

    @property
    def input_size(self) -> int:  # type: ignore[override]
        """Features per timestep."""
        return self.cell.input_size

    @property
    def output_size(self) -> int:
        """Readouts per timestep: 3 n_qubits."""
        return self.cell.output_size

    @property
    def backend(self) -> Backend[Any]:
        """The backend that holds the state."""
        return self.cell.backend

    def require_memory(self, batch_size: int, device: torch.device) -> None:
        """Refuse a batch whose step does not fit the memory that is free on `device`; allocates nothing."""
        self.backend.require_memory(batch_size, device)

    def through_time(self, x: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """Return the readouts of every timestep, (batch, time, 3 n_qubits), and the final state.

        A state of None starts from |0...0>, whose readouts are known without noise. The final state keeps what was
        measured of it, so that every timestep is measured once: a call that continues feeds back these readouts; a
        state without them is measured now. With `state_depolarising`, a continued state is refused (InvalidInput): its
        age is not known.
        """
        measure = self.noise.of_call(x, self.training) if self.noise is not None else None
        state, z = self._begin(x, state, measure)
        pieces, parts = [], segments(x.shape[1], self.segment_length)
        for timesteps in parts:
            drawn = None if measure is None else measure.position()
            state, z, readouts = recomputed(
                self._advance, x, timesteps, state, z, lengths, measure, drawn, when=len(parts) > 1
            )
            pieces.append(readouts)
        return self.readout_dropout(without_padding(torch.cat(pieces, 1), lengths)), state.measured(z)

    def _begin(self, x: Tensor, state: State | None, measure: Measurement | None) -> tuple[State, Tensor]:
        """Return the state in which a call begins, and the readouts (batch, 3 n_qubits) that its angles follow from."""
        backend = self.backend
        if state is None:
            state = backend.initial_state(x.shape[0], x.device)
            return state, backend.readout(state)
        backend.require_state(state)
        require_batch(self.cell.name, x, state.batch_size)
        if measure is not None:
            measure.noise.require_start(self.cell.name)
        if state.readouts is not None:
            return state, state.readouts
        z = backend.readout(state)
        return state, z if measure is None else measure(z, 0)

    def _advance(
        self,
        x: Tensor,  # (batch, time, input_size)
        timesteps: range,
        state: State,
        z: Tensor,  # (batch, 3 n_qubits)
        lengths: Tensor | None,
        measure: Measurement | None,
        drawn: Tensor | None,
    ) -> tuple[State, Tensor, Tensor]:
        """Return state and readouts after some of the timesteps, and the readouts (batch, timesteps, 3 n_qubits)."""
        if measure is not None:
            measure.go_back_to(drawn)
        readouts = []
        for t in timesteps:
            stepped, read = self.cell(x[:, t], state, z)
            if measure is not None:
                read = measure(read, t + 1)
            if lengths is not None and t > 0:  # what ended stays as it was
                running = lengths > t
                stepped, read = stepped.where(running, state), torch.where(running[:, None], read, z)
            state, z = stepped, read
            readouts.append(z)
        return state, z, torch.stack(readouts, 1)
