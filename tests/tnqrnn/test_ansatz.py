"""`Ansatz`: which gates on which qubits, in which order."""

from __future__ import annotations

import pickle

import pytest

from tnqrnn import Ansatz

BONDS = {
    "chain": [(0, 1), (1, 2), (2, 3), (3, 4)],
    "ring": [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)],
    "brickwork": [(0, 1), (2, 3), (1, 2), (3, 4)],
}


@pytest.mark.parametrize("topology", BONDS)
def test_rotations_on_every_qubit_then_entanglers_on_every_bond(topology: str) -> None:
    ansatz = Ansatz(n_qubits=5, n_layers=2, rotations=("ry", "rz"), entangler="crx", topology=topology)
    layer = [(name, (q,)) for name in ("ry", "rz") for q in range(5)] + [("crx", bond) for bond in BONDS[topology]]
    assert [(gate.name, gate.qubits) for gate in ansatz.circuit.gates] == layer * 2
    assert ansatz.circuit.n_angles == 2 * len(layer)


@pytest.mark.parametrize("topology", BONDS)
@pytest.mark.parametrize("n_qubits", [1, 2])
def test_few_qubits(topology: str, n_qubits: int) -> None:
    bonds = {1: [], 2: [(0, 1), (1, 0)] if topology == "ring" else [(0, 1)]}[n_qubits]
    circuit = Ansatz(n_qubits, rotations="rx", entangler="cz", topology=topology).circuit
    assert [gate.qubits for gate in circuit.gates if gate.name == "cz"] == bonds
    assert circuit.n_angles == n_qubits


def test_one_rotation_may_be_a_name_and_several_a_list() -> None:
    assert Ansatz(3, rotations="u3") == Ansatz(3, rotations=["u3"])
    assert Ansatz(3, rotations=["ry", "rz"]) == Ansatz(3)
    assert hash(Ansatz(3, rotations=["ry", "rz"])) == hash(Ansatz(3))
    assert Ansatz(2, rotations=()).circuit.n_angles == 2  # the entanglers of a ring


def test_survives_pickling() -> None:
    ansatz = Ansatz(3, topology="chain")
    assert str(pickle.loads(pickle.dumps(ansatz)).circuit) == str(ansatz.circuit)
    assert pickle.loads(pickle.dumps(ansatz)) == ansatz
