"""Every gate of the gate set on every kind of position: state, readouts and gradient against the oracle."""

from __future__ import annotations

import pytest
import torch

from backends import Circuit
from backends.circuits.gates import GATES
from tests import oracle
from tests.backends.cases import (
    COMPLETE,
    EXACT,
    N_QUBITS,
    SEVERAL_SITES,
    Loss,
    Setting,
    expect,
    gradient,
    largest,
    n_gates,
    random_angles,
    random_circuit,
    random_unitary,
    relative_error,
    run,
)
from tests.backends.conftest import Check
from tests.tolerances import GRADIENT, readout_tolerance, state_tolerance

# On FITTING's sites (0, 1, 2) (3) (4) (5, 6, 7): within a site, on neighbouring sites, across several; and reversed.
PAIRS = ((0, 1), (7, 5), (2, 3), (4, 3), (5, 3), (1, 6), (7, 0))
# A product state before the gate has rank 1, after it at most 4, which FITTING holds. The last rotations make all
# readouts depend on the gate.
SETTINGS = (EXACT[0], EXACT[1], *SEVERAL_SITES)


def around(gate: str, qubits: tuple[int, ...], n_qubits: int = N_QUBITS) -> Circuit:
    circuit = Circuit(n_qubits)
    for qubit in range(n_qubits):
        circuit.u3(qubit)
    if gate == "unitary":
        circuit.unitary(random_unitary(2 ** len(qubits), seed=5), *qubits)
    else:
        circuit.append(gate, *qubits)
    for qubit in qubits:
        circuit.u3(qubit)
    return circuit


def compare(circuit: Circuit, setting: Setting, dtype: torch.dtype, check: Check) -> None:
    loss, gates = Loss.random(circuit.n_qubits, 1, batch=2), n_gates(circuit)
    backend = setting.create(circuit, dtype)
    angles = random_angles(circuit, 1, batch=2)
    expected = expect(circuit, angles)
    angles = angles.to(backend.real_dtype).requires_grad_()
    state, z = run(backend, angles)
    dense = backend.to_dense(state)
    check(setting, dtype, "state", largest((dense - expected.amplitudes).norm(dim=1)), state_tolerance(dtype, gates))
    check(setting, dtype, "readout", largest(z - expected.readouts), readout_tolerance(dtype, gates))
    error = relative_error(gradient(loss(dense, z), angles), expected.gradient)
    check(setting, dtype, "gradient", error, GRADIENT[dtype])


def test_the_oracle_knows_every_gate() -> None:
    assert {*oracle.ONE_QUBIT, *oracle.TWO_QUBIT} == set(GATES)
    for name, spec in GATES.items():
        assert (spec.n_qubits == 2) == (name in oracle.TWO_QUBIT)
        assert spec.n_angles == oracle.N_ANGLES[name]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("gate", [*oracle.TWO_QUBIT, "unitary"])
def test_two_qubit_gate(gate: str, setting: Setting, check: Check) -> None:
    for pair in PAIRS:
        compare(around(gate, pair), setting, torch.complex128, check)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("gate", [*oracle.ONE_QUBIT, "unitary"])
def test_one_qubit_gate(gate: str, setting: Setting, check: Check) -> None:
    for qubit in (1, 3):
        compare(around(gate, (qubit,)), setting, torch.complex128, check)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("gate", [*oracle.TWO_QUBIT, *oracle.ONE_QUBIT, "unitary"])
def test_gate_in_single_precision(gate: str, setting: Setting, check: Check) -> None:
    compare(around(gate, (5, 3) if gate in oracle.TWO_QUBIT else (4,)), setting, torch.complex64, check)


@pytest.mark.parametrize("seed", range(3))
def test_random_circuits(seed: int, dtype: torch.dtype, check: Check) -> None:
    circuit = random_circuit(6, 30, seed)
    for setting in COMPLETE:
        compare(circuit, setting, dtype, check)


@pytest.mark.parametrize("qubits", [(0, 1), (4, 1), (1, 6), (7, 0)])
def test_one_qubit_gates_on_all_sides_of_a_two_qubit_gate(qubits: tuple[int, int], check: Check) -> None:
    """One-qubit gates may be fused with a neighbour, never moved past a gate they do not commute with."""
    circuit = Circuit(N_QUBITS)
    for qubit in range(N_QUBITS):
        circuit.ry(qubit).t(qubit)
    circuit.h(qubits[0]).rx(qubits[1]).append("crx", *qubits)
    circuit.s(qubits[0]).ry(qubits[1]).rz(qubits[0]).h(qubits[1]).append("cy", *qubits[::-1])
    circuit.tdg(qubits[1]).u3(qubits[0])
    for setting in SETTINGS:
        compare(circuit, setting, torch.complex128, check)


@pytest.mark.parametrize("name", [name for name, spec in GATES.items() if spec.n_angles])
def test_large_angles_keep_the_norm_and_the_value(name: str) -> None:
    """Single precision rounds the sum of two angles of size 1e6 by 0.06; no gate may need such a sum."""
    circuit, dtype = around(name, tuple(range(GATES[name].n_qubits)), n_qubits=2), torch.complex64
    angles = (1e6 * random_angles(circuit, 1, batch=3)).float().double()
    expected = expect(circuit, angles)
    for setting in (*COMPLETE[:2], Setting("mps", {"max_bond": 1})):
        backend = setting.create(circuit, dtype)
        state, z = run(backend, angles)
        dense = backend.to_dense(state).to(torch.complex128)
        assert largest(dense.norm(dim=1) - 1) <= state_tolerance(dtype, len(circuit))
        if setting.name == "statevector" or GATES[name].n_qubits == 1:  # an MPS of bond 1 truncates
            assert largest(z - expected.readouts) <= readout_tolerance(dtype, len(circuit))
