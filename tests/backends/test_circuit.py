"""`Circuit`: counting, drawing, and quimb as a second opinion on what it does."""

from __future__ import annotations

import cmath
import copy
import pickle

import pytest
import quimb as qu
import quimb.tensor as qtn
import torch
from quimb.tensor.array_ops import PArray

from backends import Circuit, InvalidInput, create_backend
from tests import oracle
from tests.backends.cases import (
    COMPLETE,
    EXACT,
    FITTING,
    Setting,
    ansatz_circuit,
    gate_tuples,
    largest,
    random_angles,
    random_circuit,
    random_unitary,
    run,
)

# quimb misses an optional graph partitioner of cotengra.
pytestmark = pytest.mark.filterwarnings("ignore:Couldn't import `kahypar`")

ROUNDING = 1e-10  # complex128 on both sides, but quimb drops what is below 1e-12 when it simplifies its networks


def full_circuit(seed: int = 0) -> Circuit:
    """Every gate of the gate set and a unitary of each size, on five qubits."""
    circuit = random_circuit(5, 12, seed)
    for k, name in enumerate(oracle.ONE_QUBIT):
        circuit.append(name, k % 5)
    for k, name in enumerate(oracle.TWO_QUBIT):
        circuit.append(name, k % 5, (2 * k + 1 + k % 5) % 5 if (2 * k + 1) % 5 else (k + 1) % 5)
    return circuit.unitary(random_unitary(2, 1), 2).unitary(random_unitary(4, 2), 4, 1)


def amplitudes(circuit: Circuit, angles: torch.Tensor) -> torch.Tensor:
    backend = EXACT[0].create(circuit)
    return backend.to_dense(run(backend, angles.expand(1, 1, -1))[0])[0]


def test_angles_are_counted_in_order() -> None:
    circuit = Circuit(3).h(0).ry(1).crx(0, 2).u3(2).cx(1, 2).rzz(0, 1)
    assert circuit.n_angles == 6
    assert [gate.slots for gate in circuit.gates] == [(), (0,), (1,), (2, 3, 4), (), (5,)]
    assert len(circuit) == 6
    assert repr(circuit) == "Circuit(n_qubits=3, gates=6, n_angles=6)"


@pytest.mark.parametrize("name", [*oracle.ONE_QUBIT, *oracle.TWO_QUBIT])
def test_every_gate_has_its_method(name: str) -> None:
    qubits = (1, 0) if name in oracle.TWO_QUBIT else (1,)
    called, appended = getattr(Circuit(2), name)(*qubits), Circuit(2).append(name, *qubits)
    assert [(g.name, g.qubits, g.slots) for g in called.gates] == [(g.name, g.qubits, g.slots) for g in appended.gates]


def test_copies_are_independent() -> None:
    circuit = full_circuit()
    angles = random_angles(circuit, 1, 1)[0, 0]
    for twin in (copy.deepcopy(circuit), pickle.loads(pickle.dumps(circuit))):
        n_angles = circuit.n_angles
        assert torch.equal(amplitudes(twin, angles), amplitudes(circuit, angles))
        twin.rx(0)
        assert circuit.n_angles == n_angles


def test_a_unitary_keeps_its_own_matrix() -> None:
    matrix = random_unitary(2, 3)
    circuit = Circuit(1).unitary(matrix, 0)
    expected = amplitudes(circuit, torch.zeros(0, dtype=torch.float64))
    matrix.zero_()
    assert torch.equal(amplitudes(circuit, torch.zeros(0, dtype=torch.float64)), expected)


# quimb.


@pytest.mark.parametrize("seed", range(3))
def test_quimb_computes_the_same(seed: int) -> None:
    circuit = full_circuit(seed)
    angles = random_angles(circuit, 1, 1, seed)[0, 0]
    theirs = torch.tensor(circuit.to_quimb(angles).to_dense().reshape(-1))
    assert largest(amplitudes(circuit, angles) - theirs) <= ROUNDING
    expected = oracle.evolve(gate_tuples(circuit), oracle.zero_state(5, 1), angles[None])[0]
    assert largest(expected - theirs) <= ROUNDING


@pytest.mark.parametrize("topology", ["ring"])
def test_quimbs_own_mps_computes_the_same(topology: str) -> None:
    circuit = ansatz_circuit(topology, entangler="rzz")
    angles = random_angles(circuit, 1, 1)
    mps = qtn.CircuitMPS(circuit.n_qubits, max_bond=16, cutoff=0.0)
    values = angles[0, 0].tolist()
    for gate in circuit.gates:
        mps.apply_gate(gate.name.upper(), *[values[slot] for slot in gate.slots], *gate.qubits)
    theirs = torch.tensor(mps.psi.to_dense().reshape(1, -1))
    backend = FITTING.create(circuit)
    state, _ = run(backend, angles)
    assert largest(backend.to_dense(state) - theirs) <= ROUNDING


@pytest.mark.parametrize("seed", range(3))
def test_circuit_round_trip(seed: int) -> None:
    circuit = full_circuit(seed)
    angles = random_angles(circuit, 1, 1, seed)[0, 0]
    again, values = Circuit.from_quimb(circuit.to_quimb(angles))
    assert [(g.name, g.qubits) for g in again.gates] == [(g.name, g.qubits) for g in circuit.gates]
    assert largest(values - angles) <= ROUNDING
    assert largest(amplitudes(again, values) - amplitudes(circuit, angles)) <= ROUNDING


def test_gates_of_quimb_that_we_lack_become_unitaries() -> None:
    theirs = qtn.Circuit(3)
    theirs.h(0)
    theirs.cnot(0, 2)
    theirs.u2(0.3, 0.4, 1)
    theirs.iswap(1, 2)
    theirs.fsim(0.3, 0.2, 2, 0)
    theirs.cu1(0.7, 0, 1)
    ours, angles = Circuit.from_quimb(theirs)
    assert [gate.name for gate in ours.gates] == ["h", "cx", "unitary", "unitary", "unitary", "cp"]
    assert largest(amplitudes(ours, angles) - torch.tensor(theirs.to_dense().reshape(-1))) <= ROUNDING


def acts_as(theirs: qtn.Circuit, gates: list[oracle.GateTuple], angles: list[float]) -> None:
    """Our circuit of quimb's circuit does what these gates do."""
    ours, values = Circuit.from_quimb(theirs)
    expected = oracle.evolve(gates, oracle.zero_state(theirs.N, 1), torch.tensor([angles], dtype=torch.float64))[0]
    assert largest(amplitudes(ours, values) - expected) <= ROUNDING


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [qtn.Circuit, qtn.CircuitMPS, qtn.CircuitPermMPS, qtn.CircuitDense])
def test_every_kind_of_circuit_keeps_its_qubits(kind: type[qtn.Circuit], seed: int) -> None:
    """A CircuitPermMPS notes the sites at which its qubits were, which every gate on two distant ones changes."""
    generator = torch.Generator().manual_seed(seed)
    theirs, gates, angles = kind(5), list[oracle.GateTuple](), list[float]()
    for angle in torch.rand(30, generator=generator).tolist():
        first, second = torch.randperm(5, generator=generator)[:2].tolist()
        theirs.apply_gate("RY", angle, first, gate_round=len(gates))
        theirs.apply_gate("CRX", angle, first, second)
        theirs.apply_gate("CX", second, first)
        gates += [("ry", (first,)), ("crx", (first, second)), ("cx", (second, first))]
        angles += [angle, angle]
    acts_as(theirs, gates, angles)


def test_a_permuted_circuit_that_does_not_tell_its_qubits_is_refused() -> None:
    theirs = qtn.CircuitPermMPS.from_gates([("H", 0), ("CX", 0, 3), ("CX", 0, 2)], N=4)
    theirs.qubits = [0, 1, 2, 3]
    with pytest.raises(InvalidInput, match="does not tell which qubits"):
        Circuit.from_quimb(theirs)


@pytest.mark.parametrize(
    ("name", "n_angles", "qubits"), [("U2", 2, (1,)), ("CU3", 3, (1, 0)), ("FSIM", 2, (0, 1)), ("SU4", 15, (1, 2))]
)
def test_gates_that_quimb_may_train_come_in(name: str, n_angles: int, qubits: tuple[int, ...]) -> None:
    """With their values of the moment; those of our set keep their angles."""
    theirs = qtn.Circuit(3)
    for qubit in range(3):
        theirs.ry(0.3 + qubit, qubit, parametrize=True)
    theirs.apply_gate(name, *[0.1 * k + 0.2 for k in range(n_angles)], *qubits, parametrize=True)
    theirs.apply_gate_raw(PArray(lambda x: qu.rotation(x[0], "z"), [0.4]), [1])
    ours, angles = Circuit.from_quimb(theirs)
    assert [gate.name for gate in ours.gates] == ["ry"] * 3 + ["unitary"] * 2
    assert largest(amplitudes(ours, angles) - torch.tensor(theirs.to_dense().reshape(-1))) <= ROUNDING


def test_gates_with_one_control_come_in() -> None:
    theirs, root = qtn.Circuit(3), oracle.gate_matrix("rx", torch.tensor([[torch.pi / 2]], dtype=torch.float64))[0]
    for qubit in range(3):
        theirs.h(qubit)
    theirs.ry(0.3, 1)
    theirs.apply_gate("RY", params=[0.4], qubits=[1], controls=[2])
    theirs.apply_gate("X", qubits=[2], controls=[0])
    theirs.apply_gate("T", qubits=[0], controls=[1])
    theirs.apply_gate("PHASE", params=[0.9], qubits=[1], controls=[0])
    theirs.apply_gate_raw(root.numpy(), [0], controls=[2])
    diagonal = torch.tensor([1, 1, 1, cmath.exp(0.25j * torch.pi)], dtype=torch.complex128)
    gates = [("h", (0,)), ("h", (1,)), ("h", (2,)), ("ry", (1,)), ("cry", (2, 1)), ("cx", (0, 2)),
             ("unitary", (1, 0), torch.diag(diagonal)), ("cp", (0, 1)),
             ("unitary", (2, 0), torch.block_diag(torch.eye(2, dtype=root.dtype), root))]  # fmt: skip
    acts_as(theirs, gates, [0.3, 0.4, 0.9])
    names = [gate.name for gate in Circuit.from_quimb(theirs)[0].gates[4:]]
    assert names == ["cry", "cx", "unitary", "cp", "unitary"]


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
def test_states_of_quimb_come_in(setting: Setting) -> None:
    mps, dense = qtn.MPS_rand_state(6, 4, dtype=complex, seed=1), qtn.Dense1D(qu.rand_ket(64, seed=2).reshape(-1))
    backend = setting.create(ansatz_circuit("ring", n_qubits=6))
    state = backend.from_quimb([mps, dense])
    rows = torch.stack([torch.tensor(psi.to_dense().reshape(-1)) for psi in (mps, dense)])
    rows = rows / rows.norm(dim=1, keepdim=True)
    assert largest(backend.to_dense(state) - rows) <= ROUNDING


def fidelity(a: qtn.TensorNetwork, b: qtn.TensorNetwork) -> float:
    """Of networks with norms of their own, by quimb."""
    overlap, norm_a, norm_b = ((x.H & y).contract() for x, y in ((a, b), (a, a), (b, b)))
    return float(abs(overlap) ** 2 / abs(norm_a * norm_b))


@pytest.mark.parametrize("max_bond", [2, 3, 16])
def test_a_chain_of_many_qubits_comes_in_site_by_site(max_bond: int) -> None:
    """36 qubits: all amplitudes would be a terabyte. Of any norm, as a batch, its bonds of any size."""
    networks = [qtn.MPS_rand_state(36, 2, dtype=complex, seed=1), qtn.MPS_computational_state("01" * 18)]
    tiny = networks[0].copy()
    tiny[7].modify(data=tiny[7].data * 1e-200)
    backend = create_backend("mps", Circuit(36), max_bond=max_bond, dtype=torch.complex128)
    state = backend.from_quimb([tiny, networks[1]])
    for sample, network in enumerate(networks):
        assert fidelity(backend.to_quimb(state, sample), network) >= 1 - ROUNDING
    assert largest(backend.fidelity(state, state) - 1) <= ROUNDING
    assert largest(state.truncation_error) <= 1e-15
    ups_and_downs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(18)
    assert (
        largest(backend.readout(state)[1] - torch.cat([0 * ups_and_downs, 0 * ups_and_downs, ups_and_downs])) <= 1e-12
    )


def test_a_chain_that_does_not_fit_the_bond_is_truncated_and_says_so() -> None:
    theirs = qtn.MPS_rand_state(30, 6, dtype=complex, seed=2)
    backend = create_backend("mps", Circuit(30), max_bond=4, dtype=torch.complex128)
    state = backend.from_quimb(theirs)
    lost = 1 - fidelity(backend.to_quimb(state), theirs)
    assert 1e-3 < lost <= float(state.infidelity_bound) + ROUNDING


@pytest.mark.parametrize("max_bond", [1, 2, 8, None])
def test_a_state_of_ours_goes_to_another_bond_by_way_of_quimb(max_bond: int | None) -> None:
    """Its blocks of qubits at both ends are wider or narrower than those of the backend that takes it."""
    circuit = ansatz_circuit("chain", n_qubits=12)
    ours, other = (create_backend("mps", circuit, max_bond=bond, dtype=torch.complex128) for bond in (4, max_bond))
    state, _ = run(ours, random_angles(circuit, 1, batch=2))  # rank 2
    taken = other.from_quimb([ours.to_quimb(state, 0), ours.to_quimb(state, 1)])
    lost = 1 - ours.fidelity(state, taken)
    assert largest((lost - taken.infidelity_bound).clamp(min=0)) <= ROUNDING
    assert (largest(lost) <= ROUNDING) == (max_bond != 1)


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
def test_states_that_are_no_chains_come_in(setting: Setting) -> None:
    """A ring of sites, qubits in another order than the sites, and a circuit's network whose tensors can be trained."""
    permuted = qtn.CircuitPermMPS.from_gates([("RY", 0.1 + q, q) for q in range(6)] + [("CX", 0, 4), ("CX", 1, 5)])
    trained = qtn.Circuit(6)
    for qubit in range(6):
        trained.ry(0.2 + qubit, qubit, parametrize=True)
    trained.cx(5, 0)
    networks = [qtn.MPS_rand_state(6, 2, cyclic=True, dtype=complex, seed=3), permuted.psi, trained.psi]
    rows = torch.stack([torch.tensor(psi.to_dense([f"k{q}" for q in range(6)]).reshape(-1)) for psi in networks])
    backend = setting.create(ansatz_circuit("ring", n_qubits=6))
    state = backend.from_quimb(networks)
    assert largest(backend.to_dense(state) - rows / rows.norm(dim=1, keepdim=True)) <= ROUNDING


@pytest.mark.parametrize("setting", [EXACT[0], FITTING, Setting("mps", {"max_bond": 1})], ids=str)
def test_quimb_reads_a_state_of_ours(setting: Setting) -> None:
    circuit = ansatz_circuit("brickwork")
    backend = setting.create(circuit)
    state, z = run(backend, random_angles(circuit, 1, batch=2))
    theirs = backend.to_quimb(state, sample=1)
    names = [f"k{q}" for q in range(circuit.n_qubits)]
    assert set(theirs.outer_inds()) == set(names)
    psi = torch.tensor(theirs.contract(output_inds=names).data.reshape(1, -1))
    assert largest(psi - backend.to_dense(state)[1:]) <= ROUNDING
    assert largest(oracle.readouts(psi) - z[-1, 1:]) <= ROUNDING


# Drawing.


def test_drawing() -> None:
    circuit = Circuit(3).h(0).ry(1).crx(0, 2).cx(1, 2).rzz(0, 1).swap(1, 2).u3(0).unitary(torch.eye(2), 2)
    lines = str(circuit).splitlines()
    assert [line[:5] for line in lines] == ["q0: ─", "q1: ─", "q2: ─"]
    assert len({len(line) for line in lines}) == 1
    assert all(text in lines[0] for text in ("H", "●", "RZZ", "U3[3,4,5]"))
    assert all(text in lines[1] for text in ("RY[0]", "│", "●", "RZZ[2]", "x"))
    assert all(text in lines[2] for text in ("RX[1]", "X", "x", "U"))


def test_drawing_of_many_qubits_and_of_none_of_the_gates() -> None:
    lines = str(random_circuit(11, 40, seed=0)).splitlines()
    assert len(lines) == 11
    assert len({len(line) for line in lines}) == 1
    assert str(Circuit(2)).splitlines() == ["q0: ──", "q1: ──"]
