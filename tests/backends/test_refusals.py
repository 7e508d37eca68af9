"""Bad input is refused with InvalidInput: one sentence that names who refuses, what came and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import backends.memory
from backends import Circuit, ContractionPlanner, InvalidInput, create_backend
from tests.backends.cases import EXACT, FITTING, N_QUBITS, TRUNCATING, Setting, ansatz_circuit
from tnqrnn import Ansatz

NAN = float("nan")
UNTRUNCATED = Setting("mps", {"max_bond": None})
SETTINGS = (EXACT[0], UNTRUNCATED, TRUNCATING[0])


def refused(call: Callable[[], Any], *mentions: str) -> None:
    """`call` raises InvalidInput, whose message is a short text that mentions what it has to."""
    with pytest.raises(InvalidInput) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 400
    assert message[-1] in ".?!"
    for text in mentions:
        assert text in message


def ring() -> Circuit:
    return ansatz_circuit("ring")


# Creating a backend.


def test_unknown_backend_and_options() -> None:
    refused(lambda: create_backend("statevectr", ring()), "unknown backend 'statevectr'", "Did you mean 'statevector'?")
    refused(lambda: create_backend("mps", ring(), maxbond=4), "option 'maxbond'", "Did you mean 'max_bond'?")
    refused(lambda: create_backend("statevector", ring(), max_bond=4), "option 'max_bond'", "dtype, planner")
    refused(lambda: create_backend("statevector", ring(), engine="kernels"), "engine", "Did you mean 'kernel'?")
    for name in (None, 3, ["mps"], ""):
        refused(lambda name=name: create_backend(name, ring()), "unknown backend")  # type: ignore[misc]


@pytest.mark.parametrize("name", ["statevector", "mps"])
def test_what_is_no_circuit_no_dtype_no_planner(name: str) -> None:
    refused(lambda: create_backend(name, 3), name, "must be a Circuit, got int")  # type: ignore[arg-type]
    for dtype in (torch.float32, torch.float64, torch.complex32, "complex64", None, [1]):
        refused(lambda dtype=dtype: create_backend(name, ring(), dtype=dtype), "torch.complex64")  # type: ignore[misc]
    for planner in (None, "hyper", ContractionPlanner):
        refused(lambda planner=planner: create_backend(name, ring(), planner=planner), "planner")  # type: ignore[misc]


@pytest.mark.parametrize("max_bond", [0, -3, 2.0, True, "16", [4], NAN])
def test_max_bond(max_bond: object) -> None:
    refused(lambda: create_backend("mps", ring(), max_bond=max_bond), "max_bond", "at least 1", repr(max_bond))


@pytest.mark.parametrize("cutoff", [-1e-9, 1, 1.5, NAN, "1e-3", None, True])
def test_truncation_cutoff(cutoff: object) -> None:
    refused(lambda: create_backend("mps", ring(), truncation_cutoff=cutoff), "truncation_cutoff", "[0, 1)")


# Building a circuit.


@pytest.mark.parametrize("n_qubits", [0, -1, 2.0, True, "3", None])
def test_number_of_qubits(n_qubits: Any) -> None:
    refused(lambda: Circuit(n_qubits), "n_qubits", "at least 1", repr(n_qubits))


def test_unknown_gates() -> None:
    refused(lambda: Circuit(2).crxx(0, 1), "unknown gate 'crxx'", "Did you mean 'rxx'?")
    refused(lambda: Circuit(2).append("CX", 0, 1), "unknown gate 'CX'", "Did you mean 'cx'?")
    refused(lambda: Circuit(2).append("unitary", 0), "unknown gate 'unitary'")
    refused(lambda: Circuit(2).append(3, 0), "unknown gate 3")  # type: ignore[arg-type]
    assert not hasattr(Circuit(2), "crxx")


@pytest.mark.parametrize("qubit", [-1, 3, 1.0, True, "0", None])
def test_qubits_that_do_not_exist(qubit: Any) -> None:
    refused(lambda: Circuit(3).ry(qubit), "gate ry", repr(qubit), "qubits 0 to 2")
    refused(lambda: Circuit(3).cx(0, qubit), "gate cx", repr(qubit))
    refused(lambda: Circuit(3).unitary(torch.eye(2), qubit), "unitary", repr(qubit))


def test_repeated_and_miscounted_qubits() -> None:
    refused(lambda: Circuit(3).cx(1, 1), "different qubits", "(1, 1)")
    refused(lambda: Circuit(3).unitary(torch.eye(4), 2, 2), "different qubits")
    refused(lambda: Circuit(3).append("cx", 0), "acts on 2 qubit(s), got 1")
    refused(lambda: Circuit(3).append("h", 0, 1), "acts on 1 qubit(s), got 2")
    refused(lambda: Circuit(3).unitary(torch.eye(8), 0, 1, 2), "1 or 2 qubits, got 3")
    refused(lambda: Circuit(3).unitary(torch.eye(1)), "1 or 2 qubits, got 0")


@pytest.mark.parametrize(
    "matrix",
    [[[1, 1], [1, 1]], [[1, 0], [0, 2]], [[NAN, 0], [0, 1]], torch.zeros(2, 2), torch.eye(4), torch.ones(2), 1.0,
     "identity", None, [[1, 0], [0]]],
)  # fmt: skip
def test_matrices_that_are_not_unitary(matrix: Any) -> None:
    circuit = Circuit(3)
    refused(lambda: circuit.unitary(matrix, 0), "unitary")
    assert len(circuit) == 0


def test_a_refused_gate_leaves_no_trace() -> None:
    circuit = Circuit(2).ry(0)
    refused(lambda: circuit.rx(5))
    assert (len(circuit), circuit.n_angles) == (1, 1)


# States.


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("batch", [0, -1, 2.0, True, "4", None])
def test_batch_size(setting: Setting, batch: Any) -> None:
    refused(lambda: setting.create(ring()).initial_state(batch), setting.name, "batch_size", repr(batch))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_unknown_device(setting: Setting) -> None:
    refused(lambda: setting.create(ring()).initial_state(1, "gpu"), setting.name, "'gpu'")


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_states_that_do_not_belong(setting: Setting) -> None:
    backend = setting.create(ring())
    angles = torch.zeros(1, backend.n_angles, dtype=torch.float64)
    foreign = {
        "other backend": (FITTING if setting.name == "statevector" else EXACT[0]).create(ring()).initial_state(1),
        "other qubits": setting.create(ansatz_circuit("ring", n_qubits=5)).initial_state(1),
        "other dtype": setting.create(ring(), torch.complex64).initial_state(1),
        "no state": (torch.zeros(1), torch.zeros(1)),
        "nothing": None,
    }
    if setting.name == "mps":
        foreign["other bond"] = FITTING.create(ring()).initial_state(1)
    for state in foreign.values():
        for call in (
            lambda state=state: backend.step(state, angles),
            lambda state=state: backend.readout(state),
            lambda state=state: backend.to_dense(state),
            lambda state=state: backend.entanglement_entropy(state),
            lambda state=state: backend.expectation(state, "Z" * N_QUBITS),
            lambda state=state: backend.to_quimb(state),
            lambda state=state: backend.fidelity(state, backend.initial_state(1)),
        ):
            refused(call, setting.name)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_fidelity_with_what_does_not_match(setting: Setting) -> None:
    backend = setting.create(ring())
    state = backend.initial_state(2)
    refused(lambda: backend.fidelity(state, state[0]), "batch 2", "batch 1")
    refused(lambda: backend.fidelity(state, None), "NoneType")  # type: ignore[arg-type]
    other = setting.create(ring(), torch.complex64).initial_state(2)
    refused(lambda: backend.fidelity(state, other), "complex64", "complex128")
    shorter = setting.create(ansatz_circuit("ring", n_qubits=5)).initial_state(2)
    refused(lambda: backend.fidelity(state, shorter), "8 qubits", "5 qubits")


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize(
    "index",
    [7, -4, [0, 7], [-9], 1.0, "0", None, [], True, torch.tensor([[0, 1]]), torch.tensor([True, False]),
     slice(0, 0), slice(3, 9), slice(2, 1), [False] * 3, torch.zeros(3, dtype=torch.bool), torch.zeros(0).long()],
)  # fmt: skip
def test_samples_that_do_not_exist(setting: Setting, index: Any) -> None:
    """A state keeps its batch axis and at least one sample, whatever it is indexed with."""
    state = setting.create(ring()).initial_state(3)
    refused(lambda: state[index], "state")


@pytest.mark.parametrize("setting", [*EXACT, TRUNCATING[0]], ids=str)
def test_a_state_without_samples(setting: Setting) -> None:
    """One that was made by hand, since no choice of samples gives it."""
    backend = setting.create(ring())
    state = backend.initial_state(2)
    empty = state._replace([tensor[:0] for tensor in state.tensors])
    angles = torch.zeros(0, backend.n_angles, dtype=torch.float64)
    for call in (
        lambda: backend.step(empty, angles),
        lambda: backend.readout(empty),
        lambda: backend.expectation(empty, "Z" * N_QUBITS),
        lambda: backend.fidelity(empty, empty),
        lambda: backend.to_dense(empty),
        lambda: backend.entanglement_entropy(empty),
    ):
        refused(call, setting.name, "batch 0")


# Integers of other libraries are integers.

INTEGERS = [np.int64, np.uint8, np.int32, torch.tensor]


@pytest.mark.parametrize("integer", INTEGERS)
def test_every_kind_of_integer_counts_qubits(integer: Any) -> None:
    circuit = Circuit(integer(3)).ry(integer(2)).cx(integer(0), integer(1)).unitary(torch.eye(2), integer(1))
    assert type(circuit.n_qubits) is int
    assert all(type(qubit) is int for gate in circuit.gates for qubit in gate.qubits)
    ansatz = Ansatz(integer(3), integer(2))
    assert ansatz == Ansatz(3, 2)
    assert (type(ansatz.n_qubits), type(ansatz.n_layers)) == (int, int)
    backend = create_backend("mps", circuit, max_bond=integer(1), planner=ContractionPlanner(max_elements=integer(64)))
    assert type(backend.max_bond) is int  # type: ignore[attr-defined]
    assert backend.initial_state(integer(2)).batch_size == 2
    refused(lambda: Circuit(3).cx(integer(1), integer(1)), "different qubits, got (1, 1)")
    refused(lambda: Circuit(integer(0)), "at least 1")
    refused(lambda: Circuit(3).ry(integer(3)), "qubits 0 to 2")


@pytest.mark.parametrize("qubit", [np.bool_(True), torch.tensor(True), np.float64(1), torch.tensor(1.0), np.ones(2)])
def test_what_is_no_integer_is_none(qubit: Any) -> None:
    refused(lambda: Circuit(3).ry(qubit), "gate ry")
    refused(lambda: Circuit(qubit), "n_qubits")


# A state in one line.


@pytest.mark.parametrize("setting", [EXACT[0], FITTING], ids=str)
def test_a_state_is_described_in_one_line(setting: Setting) -> None:
    state = setting.create(ring()).initial_state(2)
    facts = "n_qubits=8, batch_size=2, dtype=complex128, device=cpu"
    more = ", max_bond=4, truncation_error<=0.0e+00" if setting.name == "mps" else ""
    assert repr(state) == f"{type(state).__name__}({facts}{more})"


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("index", [np.int64(1), torch.tensor(1)])
def test_every_kind_of_integer_keeps_the_batch_axis(setting: Setting, index: Any) -> None:
    state = setting.create(ring()).initial_state(3)
    assert [tensor.shape for tensor in state[index].tensors] == [tensor.shape for tensor in state[1].tensors]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_where_between_states_that_do_not_match(setting: Setting) -> None:
    state = setting.create(ring()).initial_state(3)
    mask = torch.tensor([True, False, True])
    refused(lambda: state.where(mask[:2], state), "state")
    refused(lambda: state.where(mask, state[:2]), "state")
    other = FITTING if setting.name == "statevector" else EXACT[0]
    refused(lambda: state.where(mask, other.create(ring()).initial_state(3)), "state")


# Angles and amplitudes.


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_angles(setting: Setting) -> None:
    backend = setting.create(ring())
    state, n = backend.initial_state(2), backend.n_angles
    good = torch.zeros(2, n, dtype=torch.float64)
    for shape in ((2, n + 1), (2, n - 1), (3, n), (n,), (1, 2, n), (2, 0)):
        refused(lambda shape=shape: backend.step(state, good.new_zeros(shape)), str((2, n)), str(shape))  # type: ignore[misc]
    for dtype in (torch.float32, torch.int64, torch.complex128):
        refused(lambda dtype=dtype: backend.step(state, good.to(dtype)), "torch.float64", str(dtype))  # type: ignore[misc]
    for value in (NAN, float("inf"), -float("inf")):
        bad = good.clone()
        bad[1, 3] = value
        refused(lambda bad=bad: backend.step(state, bad), "NaN or infinite angles in 1 of 2")  # type: ignore[misc]
    for what in (None, good.tolist(), good.numpy()):
        refused(lambda what=what: backend.step(state, what), setting.name, "angles")  # type: ignore[misc]
    refused(lambda: backend.step(state, good.to("meta")), "meta", "cpu")


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_amplitudes(setting: Setting) -> None:
    backend = setting.create(ring())
    good = torch.ones(2, 2**N_QUBITS, dtype=torch.complex128)
    for what in (good[0], good[:, :-1], good[None], good.real, good.to(torch.complex64), good[:0]):
        refused(lambda what=what: backend.from_dense(what), "from_dense", "(batch, 256)")  # type: ignore[misc]
    for what in (good * 0, good * torch.tensor([[1.0], [0.0]]), good * NAN, good * float("inf")):
        refused(lambda what=what: backend.from_dense(what), "from_dense", "norm above zero")  # type: ignore[misc]
    for what in (None, good.tolist(), good.numpy()):
        refused(lambda what=what: backend.from_dense(what), "from_dense")  # type: ignore[misc]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize(
    "strings",
    ["", "Z", "Z" * 9, "z" * 8, "ZZZZZZZA", ["Z" * 8, "Z"], [], None, [None], [3], ["Z" * 8, "Z" * 7 + "0"], 3],
)
def test_pauli_strings(setting: Setting, strings: Any) -> None:
    backend = setting.create(ring())
    refused(lambda: backend.expectation(backend.initial_state(1), strings), setting.name, "Pauli string")


# quimb.


def test_what_quimb_cannot_exchange() -> None:
    circuit = Circuit(2).rx(0)
    for angles in (torch.zeros(2), torch.zeros(1, 1), [0.3], None):
        refused(lambda angles=angles: circuit.to_quimb(angles), "to_quimb", "(1,)")  # type: ignore[misc]
    backend = EXACT[0].create(ring())
    refused(lambda: backend.to_quimb(backend.initial_state(3), 3), "sample 3", "3 samples")
    for states in (None, [], [None], 3):
        refused(lambda states=states: backend.from_quimb(states), "from_quimb")  # type: ignore[misc]


def test_gates_of_quimb_without_a_counterpart() -> None:
    import quimb.tensor as qtn

    theirs = qtn.Circuit(3)
    theirs.ccx(0, 1, 2)
    refused(lambda: Circuit.from_quimb(theirs), "(0, 1, 2)", "decompose")
    theirs = qtn.Circuit(3)
    theirs.apply_gate("CX", 0, 1, controls=[2])
    refused(lambda: Circuit.from_quimb(theirs), "(2, 0, 1)", "controls included")
    theirs = qtn.Circuit(2)
    theirs.apply_gate_raw(torch.ones(2, 2).numpy(), [0])
    refused(lambda: Circuit.from_quimb(theirs), "not unitary")
    for theirs in (None, "circuit", Circuit(2)):
        refused(lambda theirs=theirs: Circuit.from_quimb(theirs), "needs a quimb circuit")  # type: ignore[misc]


# Law 7: what cannot fit is refused before anything is allocated.


@pytest.mark.parametrize(
    ("setting", "n_qubits", "remedy"),
    [
        (EXACT[0], 40, "mps"),
        (EXACT[0], 60, "mps"),
        (EXACT[0], 2000, "mps"),
        (UNTRUNCATED, 60, "smaller max_bond"),
        (UNTRUNCATED, 2000, "smaller max_bond"),
        (Setting("mps", {"max_bond": 2**20}), 60, "smaller max_bond"),
    ],
    ids=str,
)
def test_a_state_that_cannot_fit(setting: Setting, n_qubits: int, remedy: str) -> None:
    start = time.perf_counter()
    backend = setting.create(Circuit(n_qubits).ry(0).cx(0, 1))
    refused(lambda: backend.initial_state(1), f"{n_qubits} qubits", "are free", remedy)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_batch_that_cannot_fit(setting: Setting) -> None:
    refused(lambda: setting.create(ring()).initial_state(10**12), "batch 1000000000000", "smaller batch")


def test_a_wide_mps_fits() -> None:
    backend = Setting("mps", {"max_bond": 2}).create(ansatz_circuit("chain", n_qubits=60), torch.complex64)
    state, z = backend.step(backend.initial_state(1), torch.ones(1, backend.n_angles))
    assert z.shape == (1, 180)
    assert torch.isfinite(z).all()
    assert float(backend.fidelity(state, state)) == pytest.approx(1, abs=1e-4)
    assert backend.entanglement_entropy(state).shape == (1, 59)


def test_dense_amplitudes_that_cannot_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An MPS of many qubits fits, its amplitudes do not."""
    backend = Setting("mps", {"max_bond": 2}).create(ansatz_circuit("chain", n_qubits=14))
    state = backend.initial_state(1)
    monkeypatch.setattr(backends.memory, "free_bytes", lambda device: 2**14 * 16 - 1)
    refused(lambda: backend.to_dense(state), "mps", "14 qubits", "are free")


@pytest.mark.parametrize("setting", [EXACT[0], FITTING], ids=str)
def test_networks_of_quimb_whose_amplitudes_cannot_fit(setting: Setting) -> None:
    """An MPS of 40 qubits fits, its amplitudes do not; a ring of sites goes through its amplitudes on the mps, too."""
    import quimb.tensor as qtn

    backend = setting.create(Circuit(40).ry(0))
    ring_of_sites = qtn.MPS_rand_state(40, 2, cyclic=True, seed=0)
    refused(lambda: backend.from_quimb(ring_of_sites), "40 qubits", "TiB", "are free", "mps")
    if setting.name == "statevector":
        refused(lambda: backend.from_quimb(qtn.MPS_rand_state(40, 2, seed=0)), "40 qubits", "are free", "backend='mps'")


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_networks_of_quimb_with_other_indices(setting: Setting) -> None:
    import quimb.tensor as qtn

    backend = setting.create(ring())
    for network in (
        qtn.MPS_rand_state(5, 2, seed=0),
        qtn.MPS_rand_state(N_QUBITS, 2, phys_dim=3, seed=0),
        qtn.MPS_rand_state(N_QUBITS, 2, site_ind_id="b{}", seed=0),
        qtn.MPO_rand(N_QUBITS, 2, seed=0),
    ):
        refused(lambda network=network: backend.from_quimb(network), setting.name, "k0 to k7, each of size 2")  # type: ignore[misc]
    for factor in (0, NAN):
        network = qtn.MPS_rand_state(N_QUBITS, 2, seed=0)
        network[3].modify(data=network[3].data * factor)
        refused(lambda network=network: backend.from_quimb(network), "finite", "norm above zero")  # type: ignore[misc]
