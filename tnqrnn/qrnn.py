"""`QRNNCell` and `QRNN`: the hybrid quantum-classical recurrent network of arXiv:2510.25557.

For every timestep t and sample, with the quantum state psi as the hidden state,

    angles_t = controller([x_t ; z_{t-1}])        psi_t = U(angles_t) psi_{t-1}        z_t = readouts of psi_t

where z are the expectation values of X, Y and Z of every qubit; psi_0 = |0...0>.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from backends import Circuit, InvalidInput, State
from backends.errors import require_number
from tnqrnn.controllers import Controller
from tnqrnn.initialisation import precession_angles
from tnqrnn.recurrence import QuantumCell, QuantumRecurrence
from tnqrnn.settings import CELL_SETTINGS, CellSettings


class QRNNCell(QuantumCell):
    """One timestep: controller, circuit, readouts. See `QRNN` for the arguments.

    Holds all parameters of a QRNN. Keys and shapes of the `state_dict` do not depend on the backend.
    """

    name = "QRNN"
    uses = frozenset(CELL_SETTINGS) - {"hidden_size"}

    def make(self, circuit: Circuit, settings: CellSettings) -> Circuit:
        if circuit.n_angles == 0:
            raise InvalidInput("QRNN: the circuit has no parametrised gate, so there is nothing to control; add one.")
        self.keep = bool(settings.keep)
        fixed = [gate for gate in circuit.gates if not gate.slots]
        if self.keep and fixed:
            raise InvalidInput(
                f"QRNN: with keep, angles of zero leave the state as it is, but {fixed[0].name} on qubits "
                f"{fixed[0].qubits} has no angle and acts all the same; use gates with angles, or leave keep out."
            )
        self.controller = Controller(self.input_size + self.output_size, circuit.n_angles, settings)
        self.angle_scale = self.controller.angle_scale
        if require_number("QRNN", "precession", settings.precession, 0, math.inf):
            slots, turns = precession_angles(circuit, settings.precession)
            self.controller.output.bias.data[slots] = turns.to(self.controller.output.bias) / self.angle_scale
        return circuit

    @property
    def weight(self) -> Tensor:
        return self.controller.output.weight

    def angles(
        self,
        x: Tensor,  # (batch, input_size)
        z: Tensor,  # (batch, 3 n_qubits), the last readouts
    ) -> Tensor:  # (batch, n_angles)
        """Return the angles in radians that the controller chooses for one timestep."""
        features = torch.cat([x, z.to(x.dtype)], -1)
        angles: Tensor = self.controller(features)
        if self.keep:
            angles = torch.where(x.any(-1, keepdim=True), angles, 0)
        return angles.to(self.backend.real_dtype)

    def forward(self, x: Tensor, state: State, z: Tensor) -> tuple[State, Tensor]:
        stepped, read = super().forward(x, state, z)
        if self.keep:  # chosen: an MPS comes out of a circuit of zero angles rounded, and truncated if it has to be
            stepped = stepped.where(x.any(-1), state)
        return stepped, read


class QRNN(QuantumRecurrence):
    """A QRNN over sequences, used as torch.nn.LSTM with batch_first=True.

    Arguments: `input_size` features per timestep; `ansatz`, an `Ansatz` or any `Circuit`; `noise`, a `ReadoutNoise`
    (None: exact readouts); and by name those of `CellSettings` that describe neither circuit nor noise: `controller`,
    `controller_width`, `dropout`, `angle_scale`, `precession`, `sequence_length`, `backend`, `backend_options`,
    `segment_length`, .... A `CellSettings` may stand for them as a whole.

    The quantum state follows the parameters' precision: float32 -> complex64, float64 -> complex128.
    Raises InvalidInput on settings that cannot work, before any computation.
    """

    cell: QRNNCell
    cell_type = QRNNCell
