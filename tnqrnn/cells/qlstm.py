"""`QLSTM`: an LSTM whose gates are small quantum circuits (Chen et al., arXiv:2009.01783). Its state is classical.

    y = A [h_{t-1} ; x_t] + a                                                    n numbers
    q_k = <Z> of every qubit after U(theta_k) E(y) |0...0>,   k = f, i, g, o     four circuits of n qubits
    G_k = B q_k + b                                                              h numbers
    c_t = sigmoid(G_f) c_{t-1} + sigmoid(G_i) tanh(G_g)
    h_t = sigmoid(G_o) tanh(c_t),      z_t = h_t

E(y), on every qubit: H, then RY(arctan y), then RZ(arctan y^2). U(theta), per layer: CX from q to q + 1 and then from q
to q + 2 around the ring, then a general rotation U3 of every qubit. Every timestep starts from |0...0> again.

As in the public implementations of the paper, and unlike its text: linear maps A and B, common to the four circuits,
fit n qubits to any number of features and hidden units, and there are no fifth and sixth circuit between c_t and the
output.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from backends import Backend, Circuit
from backends.errors import require_positive_int
from tnqrnn.recurrence import OnBackend, Recurrence, Timestep
from tnqrnn.room import require_room
from tnqrnn.settings import QUANTUM, SIZE, CellSettings, settled
from tnqrnn.states import CellState

GATES = 4  # forget, input, candidate, output


class QLSTM(Recurrence):
    """A quantum LSTM; see the module for its formula.

    Arguments: `input_size` features per timestep, and those of `CellSettings` that it uses: `hidden_size` units h,
    which are also the readouts; `n_qubits` and `n_layers` of each of the four circuits; `dropout` of the readouts that
    leave the cell; backend, and noise of the circuits' readouts.
    """

    name = "qlstm"
    uses = SIZE | QUANTUM | {"hidden_size", "n_layers"}

    def __init__(self, input_size: int, settings: CellSettings | None = None, **given: Any) -> None:
        settings = settled(self.name, settings, given, self.uses)
        hidden_size = settings.units
        n_qubits = require_positive_int(self.name, "n_qubits", settings.n_qubits)
        sizes = [hidden_size, hidden_size]
        super().__init__(self.name, input_size, hidden_size, sizes, readout_dropout=settings.dropout)
        self.noise = settings.noise
        require_room(self.name, n_qubits * (input_size + 2 * hidden_size), "Use a smaller hidden_size or fewer qubits.")
        self.encode = nn.Linear(input_size + hidden_size, n_qubits)
        self.gates = GateCircuits(settings)
        self.decode = nn.Linear(n_qubits, hidden_size)

    def require_memory(self, batch_size: int, device: torch.device) -> None:
        """Refuse a batch whose four circuits do not fit the memory that is free on `device`."""
        self.gates.backend.require_memory(GATES * batch_size, device)

    def begin(self, x: Tensor) -> Timestep:
        measure = self.noise.of_call(x, self.training)

        def timestep(x_t: Tensor, state: CellState, z: Tensor) -> tuple[CellState, Tensor]:
            h, c = state.tensors
            q = self.gates(self.encode(torch.cat([h, x_t], -1)))
            gates = self.decode((measure(q, 1) if measure is not None else q).to(x.dtype))
            forget, write, candidate, output = gates.unbind(0)
            c = forget.sigmoid() * c + write.sigmoid() * candidate.tanh()
            h = output.sigmoid() * c.tanh()
            return CellState((h, c)).to(x.dtype), h

        return timestep


class GateCircuits(OnBackend):
    """The four circuits of a QLSTM, run as one batch."""

    def __init__(self, settings: CellSettings) -> None:
        super().__init__()
        circuit = gate_circuit(settings.n_qubits, require_positive_int("qlstm", "n_layers", settings.n_layers))
        self.theta = nn.Parameter(torch.empty(GATES, circuit.n_angles - 2 * circuit.n_qubits).uniform_(0, 2 * math.pi))
        self.choose_backend("qlstm", circuit, settings)

    @property
    def weight(self) -> Tensor:
        return self.theta

    def forward(
        self,
        y: Tensor,  # (batch, n_qubits)
    ) -> Tensor:  # (4, batch, n_qubits)
        """Return <Z> of every qubit for each of the four circuits."""
        backend: Backend[Any] = self.backend
        batch = len(y)
        encoded = torch.cat([y.atan(), y.square().atan()], -1).expand(GATES, batch, -1)
        angles = torch.cat([encoded, self.theta[:, None].expand(-1, batch, -1)], -1).flatten(0, 1)
        _, readouts = backend.step(backend.initial_state(GATES * batch, y.device), angles.to(backend.real_dtype))
        return readouts[:, 2 * backend.n_qubits :].reshape(GATES, batch, -1)


def gate_circuit(n_qubits: int, n_layers: int) -> Circuit:
    """Return the circuit U(theta) E(y): the first 2 n_qubits angles encode, the other 3 n_qubits n_layers are theta."""
    circuit, qubits = Circuit(n_qubits), range(n_qubits)
    for gate in ("h", "ry", "rz"):
        for qubit in qubits:
            circuit.append(gate, qubit)
    for _ in range(n_layers):
        for distance in (1, 2):
            for qubit in qubits:
                target = (qubit + distance) % n_qubits
                if target != qubit:  # with one or two qubits the distances close on themselves
                    circuit.cx(qubit, target)
        for qubit in qubits:
            circuit.u3(qubit)
    return circuit
