"""`QRNNCell` and `QRNN`: the hybrid quantum-classical recurrent network of arXiv:2510.25557.

For every timestep t and sample, with the quantum state psi as the hidden state,

    angles_t = controller([x_t ; z_{t-1}])        psi_t = U(angles_t) psi_{t-1}        z_t = readouts of psi_t

where z are the expectation values of X, Y and Z of every qubit; psi_0 = |0...0>.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from backends import Backend, Circuit, InvalidInput, State, create_backend
from backends.errors import require_number, require_positive_int
from tnqrnn.ansatz import Ansatz
from tnqrnn.controllers import Controller
from tnqrnn.initialisation import default_angle_scale, precession_angles
from tnqrnn.sequences import require_batch, require_sequences

_COMPLEX = {torch.float64: torch.complex128}


class QRNNCell(nn.Module):
    """One timestep: controller, circuit, readouts. See `QRNN` for the arguments.

    Holds all parameters of a QRNN. Keys and shapes of the `state_dict` do not depend on the backend.
    """

    def __init__(
        self,
        input_size: int,
        ansatz: Ansatz | Circuit,
        controller: str = "glu",
        controller_width: int = 32,
        dropout: float = 0.0,
        angle_scale: float | None = None,
        sequence_length: int | None = None,
        backend: str = "statevector",
        backend_options: Mapping[str, Any] | None = None,
        precession: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_size = require_positive_int("QRNN", "input_size", input_size)
        if not isinstance(ansatz, Ansatz | Circuit):
            raise InvalidInput(f"QRNN: ansatz must be an Ansatz or a Circuit, got {type(ansatz).__name__}.")
        self.circuit = ansatz.circuit if isinstance(ansatz, Ansatz) else ansatz
        if self.circuit.n_angles == 0:
            raise InvalidInput("QRNN: the circuit has no parametrised gate, so there is nothing to control; add one.")
        if sequence_length is not None:
            require_positive_int("QRNN", "sequence_length", sequence_length)
        if angle_scale is None:
            angle_scale = default_angle_scale(self.circuit.n_angles, sequence_length)
        self.angle_scale = require_number("QRNN", "angle_scale", angle_scale, 0, math.inf, open_below=True)
        self.output_size = 3 * self.circuit.n_qubits
        self.controller = Controller(
            controller,
            input_size + self.output_size,
            self.circuit.n_angles,
            width=controller_width,
            dropout=dropout,
            angle_scale=self.angle_scale,
        )
        self.precession = require_number("QRNN", "precession", precession, 0, math.inf)
        if precession:
            slots, turns = precession_angles(self.circuit, self.precession)
            self.controller.output.bias.data[slots] = turns.to(self.controller.output.bias)
        if not isinstance(backend_options or {}, Mapping):
            raise InvalidInput(f"QRNN: backend_options must map names to values, got {backend_options!r}.")
        self.backend_name, self.backend_options = backend, {str(k): v for k, v in (backend_options or {}).items()}
        self._backends: dict[torch.dtype, Backend[Any]] = {}
        _ = self.backend  # refuses wrong settings now, not at the first forward

    @property
    def backend(self) -> Backend[Any]:
        """The backend, in the precision of the parameters unless `backend_options` has a dtype."""
        dtype = self.backend_options.get("dtype", _COMPLEX.get(self.controller.output.weight.dtype, torch.complex64))
        if dtype not in self._backends:
            self._backends[dtype] = create_backend(
                self.backend_name, self.circuit, **{**self.backend_options, "dtype": dtype}
            )
        return self._backends[dtype]

    def angles(
        self,
        x: Tensor,  # (batch, input_size)
        z: Tensor,  # (batch, 3 n_qubits), the last readouts
    ) -> Tensor:  # (batch, n_angles)
        """Return the angles in radians that the controller chooses for one timestep."""
        features = torch.cat([x, z.to(x.dtype)], -1)
        angles: Tensor = self.controller(features)
        return angles.to(self.backend.real_dtype)

    def forward(self, x: Tensor, state: State, z: Tensor) -> tuple[State, Tensor]:
        """Advance one timestep: x (batch, input_size), the state and its readouts z -> the new state and readouts."""
        return self.backend.step(state, self.angles(x, z))

    def extra_repr(self) -> str:
        """Show what the parameters do not."""
        return f"{self.input_size}, {self.circuit!r}, backend={self.backend_name!r}, options={self.backend_options}"


class QRNN(nn.Module):
    """A QRNN over sequences, used as torch.nn.LSTM with batch_first=True.

    Arguments: `input_size` features per timestep; `ansatz`, an `Ansatz` or any `Circuit`; `controller` "linear",
    "relu", "gelu" or "glu" of hidden width `controller_width`, with `dropout` before its last layer; `angle_scale`, the
    size of the first angles (None: derived from the circuit and `sequence_length`, see `initialisation`); `precession`,
    the angle in radians by which the last qubit turns about z at every timestep before training, and qubit k by
    (k + 1) / n_qubits of it; `backend` "statevector" or "mps" with `backend_options`, e.g. {"max_bond": 16}.

    The quantum state follows the parameters' precision: float32 -> complex64, float64 -> complex128.
    Raises InvalidInput on settings that cannot work, before any computation.
    """

    def __init__(
        self,
        input_size: int,
        ansatz: Ansatz | Circuit,
        controller: str = "glu",
        controller_width: int = 32,
        dropout: float = 0.0,
        angle_scale: float | None = None,
        sequence_length: int | None = None,
        backend: str = "statevector",
        backend_options: Mapping[str, Any] | None = None,
        precession: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell = QRNNCell(
            input_size,
            ansatz,
            controller,
            controller_width,
            dropout,
            angle_scale,
            sequence_length,
            backend,
            backend_options,
            precession,
        )

    @property
    def input_size(self) -> int:
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

    def forward(
        self,
        x: Tensor,  # (batch, time, input_size)
        state: State | None = None,
        lengths: Tensor | None = None,  # (batch,), timesteps of every sequence that count
    ) -> tuple[Tensor, State]:
        """Return the readouts of every timestep, (batch, time, 3 n_qubits), and the final state.

        `state` continues an earlier call (detach it for truncated backpropagation through time); None starts from
        |0...0>. With `lengths`, a sequence ends early: its later readouts are zero and its state stays as it was.
        """
        require_sequences("QRNN", x, lengths, self.input_size, self.cell.controller.output.weight)
        backend = self.backend
        if state is None:
            state = backend.initial_state(x.shape[0], x.device)
        elif isinstance(state, State):
            require_batch("QRNN", x, state.batch_size)
        readouts, z = [], backend.readout(state)
        for t in range(x.shape[1]):
            stepped, z = self.cell(x[:, t], state, z)
            if lengths is not None and t > 0:
                running = lengths > t
                stepped, z = stepped.where(running, state), z * running[:, None]
            state = stepped
            readouts.append(z)
        return torch.stack(readouts, 1), state
