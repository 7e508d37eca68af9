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
from torch import Tensor

from backends import Circuit, InvalidInput
from backends.errors import require_number, require_positive_int
from tnqrnn.ansatz import Ansatz
from tnqrnn.controllers import Controller
from tnqrnn.initialisation import precession_angles, require_angle_scale
from tnqrnn.noise import ReadoutNoise
from tnqrnn.recurrence import QuantumCell, QuantumRecurrence


class QRNNCell(QuantumCell):
    """One timestep: controller, circuit, readouts. See `QRNN` for the arguments.

    Holds all parameters of a QRNN. Keys and shapes of the `state_dict` do not depend on the backend.
    """

    name = "QRNN"

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
        circuit = circuit_of("QRNN", ansatz)
        if circuit.n_angles == 0:
            raise InvalidInput("QRNN: the circuit has no parametrised gate, so there is nothing to control; add one.")
        self.angle_scale = require_angle_scale("QRNN", angle_scale, circuit.n_angles, sequence_length)
        self.output_size = 3 * circuit.n_qubits
        self.controller = Controller(
            controller,
            input_size + self.output_size,
            circuit.n_angles,
            width=controller_width,
            dropout=dropout,
            angle_scale=self.angle_scale,
        )
        if require_number("QRNN", "precession", precession, 0, math.inf):
            slots, turns = precession_angles(circuit, precession)
            self.controller.output.bias.data[slots] = turns.to(self.controller.output.bias) / self.angle_scale
        self.choose_backend("QRNN", circuit, backend, backend_options)

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
        return angles.to(self.backend.real_dtype)


class QRNN(QuantumRecurrence):
    """A QRNN over sequences, used as torch.nn.LSTM with batch_first=True.

    Arguments: `input_size` features per timestep; `ansatz`, an `Ansatz` or any `Circuit`; `controller` "linear",
    "relu", "gelu" or "glu" of hidden width `controller_width`, with `dropout` before its last layer; `angle_scale`, a
    factor on all angles (None: derived from the circuit and `sequence_length`, see `initialisation`); `backend`
    "statevector" or "mps" with `backend_options`, e.g. {"max_bond": 16}; `noise`, a `ReadoutNoise` (None: exact
    readouts); `precession`, the angle in radians by which the last qubit turns about z at every timestep before
    training, and qubit k by (k + 1) / n_qubits of it; `segment_length`, the timesteps after which the state is kept for
    the backward, those between being computed again (None: all is kept; see `segments`).

    The quantum state follows the parameters' precision: float32 -> complex64, float64 -> complex128.
    Raises InvalidInput on settings that cannot work, before any computation.
    """

    cell: QRNNCell

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
        noise: ReadoutNoise | None = None,
        precession: float = 0.0,
        segment_length: int | None = None,
    ) -> None:
        cell = QRNNCell(
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
        super().__init__(cell, noise, segment_length=segment_length)


def circuit_of(who: str, ansatz: object) -> Circuit:
    """Return the circuit of an `Ansatz`, or a `Circuit` as it is; refuses anything else."""
    if not isinstance(ansatz, Ansatz | Circuit):
        raise InvalidInput(f"{who}: ansatz must be an Ansatz or a Circuit, got {type(ansatz).__name__}.")
    return ansatz.circuit if isinstance(ansatz, Ansatz) else ansatz
