"""`QRB`: a quantum recurrent block without a controller, after Li et al., arXiv:2302.03244.

    psi_t = U(s theta) (RY(e_1) x ... x RY(e_d)) psi_{t-1},    e = s (E x_t + b),    z_t = <X>, <Y>, <Z> of every qubit

The first d = n / 2 qubits (rounded down, at least one) are the data register, onto which a linear map E encodes the
input; the others are the history register. theta does not change over time, and no readout is fed back: what a QRNN
gains over it is what the controller adds. The factor s is the QRNN's (see `initialisation`): with angles of order one
at every timestep the circuit forgets what it has read.

The block of the paper resets its data register to |0...0> after every timestep. That makes the state mixed, which a
state vector cannot hold; this is the unitary variant without reset. All qubits of both registers are read, so that the
head sees as many readouts as a QRNN's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backends import Circuit
from backends.errors import InvalidInput
from tnqrnn.initialisation import ScaledAngles, require_angle_scale
from tnqrnn.recurrence import QuantumCell, QuantumRecurrence
from tnqrnn.settings import CARRIED, CIRCUIT, QUANTUM, SIZE, CellSettings


class QRBCell(ScaledAngles, QuantumCell):
    """One timestep: encoding, circuit, readouts. See `QRB` for the arguments."""

    name = "qrb"
    scaled = ("theta", "encoding.weight", "encoding.bias")

    uses = SIZE | CIRCUIT | QUANTUM | CARRIED | {"angle_scale", "sequence_length"}

    def make(self, evolution: Circuit, settings: CellSettings) -> Circuit:
        if evolution.n_angles == 0:
            raise InvalidInput("qrb: the circuit has no parametrised gate, so there is nothing to train; add one.")
        self.n_data = max(1, evolution.n_qubits // 2)
        self.encoding = nn.Linear(self.input_size, self.n_data)
        self.theta = nn.Parameter(torch.empty(evolution.n_angles).uniform_(-1, 1))
        circuit = encoded(evolution, self.n_data)
        self.angle_scale = require_angle_scale(self.name, settings, circuit.n_angles)
        return circuit

    @property
    def weight(self) -> Tensor:
        return self.theta

    def angles(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the angles of encoding and circuit, (batch, n_data + n_theta); the readouts z play no role."""
        angles = self.angle_scale * torch.cat([self.encoding(x), self.theta.expand(len(x), -1)], -1)
        return angles.to(self.backend.real_dtype)


class QRB(QuantumRecurrence):
    """A quantum recurrent block over sequences; see the module for its formula.

    Arguments: as for `QRNN`, with `ansatz` that of U and `dropout` of the readouts that leave the block.
    """

    cell: QRBCell
    cell_type = QRBCell
    drops_readouts = True


def encoded(evolution: Circuit, n_data: int) -> Circuit:
    """Return RY on the first `n_data` qubits, followed by `evolution`."""
    circuit = Circuit(evolution.n_qubits)
    for qubit in range(n_data):
        circuit.ry(qubit)
    for gate in evolution.gates:
        if gate.matrix is not None:
            circuit.unitary(gate.matrix, *gate.qubits)
        else:
            circuit.append(gate.name, *gate.qubits)
    return circuit
