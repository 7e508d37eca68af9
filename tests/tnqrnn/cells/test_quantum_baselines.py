"""QLSTM, QRB and the controller alone against their formulas, the circuits by the oracle."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests import oracle
from tests.backends.cases import gate_tuples, largest
from tests.tolerances import readout_tolerance
from tnqrnn import Ansatz, Circuit
from tnqrnn.cells.controller_only import ControllerOnly
from tnqrnn.cells.qlstm import QLSTM
from tnqrnn.cells.qrb import QRB

BACKENDS = {"statevector": {}, "mps": {"max_bond": None}}
DOUBLE = readout_tolerance(torch.complex128, 100)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def gates_of_chen(n_qubits: int, n_layers: int) -> list[oracle.GateTuple]:
    """Figure 5 of arXiv:2009.01783: H, RY, RZ on every wire; per layer CX to the next and the next but one, then R."""
    wires = range(n_qubits)
    gates: list[oracle.GateTuple] = [(name, (q,)) for name in ("h", "ry", "rz") for q in wires]
    for _ in range(n_layers):
        gates += [("cx", (q, (q + d) % n_qubits)) for d in (1, 2) for q in wires if (q + d) % n_qubits != q]
        gates += [("u3", (q,)) for q in wires]
    return gates


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("n_qubits", "n_layers"), [(1, 1), (2, 2), (4, 1)])
def test_qlstm(n_qubits: int, n_layers: int, backend: str, x: Tensor) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 3, "n_qubits": n_qubits, "n_layers": n_layers}
    cell = QLSTM(2, **sizes, backend=backend, backend_options=BACKENDS[backend]).double()
    h = c = torch.zeros(2, 3, dtype=torch.float64)
    expected = []
    for t in range(3):
        y = torch.cat([h, x[:, t]], 1) @ cell.encode.weight.T + cell.encode.bias
        gates = []
        for theta in cell.gates.theta:
            angles = torch.cat([torch.atan(y), torch.atan(y**2), theta.expand(2, -1)], 1)
            psi = oracle.evolve(gates_of_chen(n_qubits, n_layers), oracle.zero_state(n_qubits, 2), angles)
            z = oracle.readouts(psi)[:, -n_qubits:]  # the last third: Z
            gates.append(z @ cell.decode.weight.T + cell.decode.bias)
        forget, write, candidate, output = gates
        c = torch.sigmoid(forget) * c + torch.sigmoid(write) * torch.tanh(candidate)
        h = torch.sigmoid(output) * torch.tanh(c)
        expected.append(h)
    assert largest(cell(x)[0] - torch.stack(expected, 1)) <= DOUBLE


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("ansatz", [Ansatz(3), Circuit(4).ry(0).unitary(torch.eye(4).flip(0), 1, 3).crx(3, 2)])
def test_qrb(ansatz: Ansatz | Circuit, backend: str, x: Tensor) -> None:
    torch.manual_seed(0)
    scale = 0.7
    cell = QRB(2, ansatz, angle_scale=scale, backend=backend, backend_options=BACKENDS[backend]).double()
    circuit = ansatz.circuit if isinstance(ansatz, Ansatz) else ansatz
    n, data = circuit.n_qubits, circuit.n_qubits // 2
    psi, expected = oracle.zero_state(n, 2), []
    for t in range(3):
        encoding = x[:, t] @ cell.cell.encoding.weight.T + cell.cell.encoding.bias
        assert encoding.shape == (2, data)
        psi = oracle.evolve([("ry", (q,)) for q in range(data)], psi, scale * encoding)
        psi = oracle.evolve(gate_tuples(circuit), psi, scale * cell.cell.theta.expand(2, -1))
        expected.append(oracle.readouts(psi))
    assert largest(cell(x)[0] - torch.stack(expected, 1)) <= DOUBLE


def test_controller_only(x: Tensor) -> None:
    cell = ControllerOnly(2, n_qubits=2, controller="relu", controller_width=4).double()
    hidden, output = cell.controller.hidden, cell.controller.output
    z, expected = torch.zeros(2, 6, dtype=torch.float64), []
    for t in range(3):
        units = (torch.cat([x[:, t], z], 1) @ hidden.weight.T + hidden.bias).clamp(min=0)
        z = torch.tanh(units @ output.weight.T + output.bias)
        expected.append(z)
    assert largest(cell(x)[0] - torch.stack(expected, 1)) <= 1e-12
