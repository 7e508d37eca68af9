"""The laws of `backends/base.py`, over every backend, dtype and topology, against the oracle."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from backends import Circuit, InvalidInput, StatevectorState
from tests import oracle
from tests.backends.cases import (
    COMPLETE,
    DTYPES,
    EXACT,
    FITTING,
    N_QUBITS,
    STEPS_THAT_FIT,
    TRUNCATING,
    Loss,
    Setting,
    ansatz_circuit,
    expect,
    gate_tuples,
    gradient,
    largest,
    n_gates,
    random_angles,
    random_states,
    relative_error,
    run,
    run_oracle,
)
from tests.backends.conftest import Check
from tests.tolerances import (
    EPS,
    GRADIENT,
    discarded_tolerance,
    readout_tolerance,
    state_tolerance,
    weight_tolerance,
)

ALL = (*EXACT, *TRUNCATING)


# Law 1: to_dense(step(s, a)) == U(a) to_dense(s).


def test_evolution_and_readouts(setting: Setting, dtype: torch.dtype, topology: str, check: Check) -> None:
    circuit, steps = ansatz_circuit(topology), STEPS_THAT_FIT[topology]
    angles = random_angles(circuit, steps, batch=3)
    state, z = run(setting.create(circuit, dtype), angles)
    psi, expected = run_oracle(circuit, angles)
    gates = n_gates(circuit, steps)
    dense = setting.create(circuit, dtype).to_dense(state)
    assert dense.dtype == dtype
    assert z.shape == (steps, 3, 3 * N_QUBITS)
    check(setting, dtype, "state", largest((dense - psi).norm(dim=1)), state_tolerance(dtype, gates))
    check(setting, dtype, "readout", largest(z - expected), readout_tolerance(dtype, gates))
    assert largest(state.truncation_error) <= discarded_tolerance(dtype, gates)


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
def test_evolution_of_any_state(setting: Setting, dtype: torch.dtype, topology: str, check: Check) -> None:
    circuit = ansatz_circuit(topology, entangler="rxx", n_layers=2)
    angles, start = random_angles(circuit, 2, batch=2), random_states(N_QUBITS, 2)
    backend = setting.create(circuit, dtype)
    state, z = run(backend, angles, backend.from_dense(start.to(dtype)))
    psi, expected = run_oracle(circuit, angles, start)
    gates = n_gates(circuit, 2)
    check(setting, dtype, "state", largest((backend.to_dense(state) - psi).norm(dim=1)), state_tolerance(dtype, gates))
    check(setting, dtype, "readout", largest(z - expected), readout_tolerance(dtype, gates))


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_the_first_state_is_all_zeros(setting: Setting, dtype: torch.dtype) -> None:
    backend = setting.create(ansatz_circuit("ring"), dtype)
    state = backend.initial_state(2)
    torch.testing.assert_close(backend.to_dense(state), oracle.zero_state(N_QUBITS, 2).to(dtype), rtol=0, atol=0)
    expected = torch.tensor([0.0] * 2 * N_QUBITS + [1.0] * N_QUBITS, dtype=backend.real_dtype).expand(2, -1)
    torch.testing.assert_close(backend.readout(state), expected, rtol=0, atol=0)
    assert largest(state.truncation_error) == 0 == largest(state.infidelity_bound)


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
@pytest.mark.parametrize("max_bond", [1, 2, None])
def test_few_qubits(n_qubits: int, max_bond: int | None, topology: str) -> None:
    """Layouts of one, two and three sites, and circuits without an entangler."""
    circuit = ansatz_circuit(topology, n_qubits=n_qubits)
    angles = random_angles(circuit, 1, batch=2)
    if max_bond is not None and max_bond < 2 ** (n_qubits // 2):  # only products fit
        angles[..., 2 * n_qubits :] = 0
    psi, expected = run_oracle(circuit, angles)
    for setting in (Setting("statevector"), Setting("mps", {"max_bond": max_bond})):
        backend = setting.create(circuit)
        state, z = run(backend, angles)
        torch.testing.assert_close(backend.to_dense(state), psi, rtol=0, atol=1e-13)
        torch.testing.assert_close(z, expected, rtol=0, atol=1e-13)
        assert backend.entanglement_entropy(state).shape == (2, n_qubits - 1)


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_a_circuit_without_gates_changes_nothing(setting: Setting) -> None:
    backend = setting.create(Circuit(N_QUBITS))
    state = backend.initial_state(2)
    after, z = backend.step(state, torch.zeros(2, 0, dtype=torch.float64))
    assert torch.equal(backend.to_dense(after), backend.to_dense(state))
    assert torch.equal(z, backend.readout(state))  # |0...0> leaves nothing to round


# Law 2: reading never changes what is read.


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_reading_changes_nothing(setting: Setting, dtype: torch.dtype, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, dtype)
    state, z = run(backend, random_angles(circuit, 3, batch=2))
    before = [tensor.clone() for tensor in state.tensors]
    first = backend.readout(state)
    assert largest(first - z[-1]) <= readout_tolerance(dtype, 1)
    for _ in range(2):
        backend.entanglement_entropy(state)
        backend.expectation(state, ["XYZIXYZI", "Z" * N_QUBITS])
        backend.fidelity(state, state)
        backend.to_dense(state)
        backend.to_quimb(state)
    assert all(torch.equal(a, b) for a, b in zip(before, state.tensors, strict=True))
    assert torch.equal(backend.readout(state), first)


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_readouts_are_of_the_normalised_state(setting: Setting, dtype: torch.dtype, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, dtype)
    state, z = run(backend, random_angles(circuit, 4, batch=2))
    gates = n_gates(circuit, 4)
    assert largest(z) <= 1 + readout_tolerance(dtype, gates)
    expected = oracle.readouts(backend.to_dense(state).to(torch.complex128))
    assert largest(z[-1] - expected) <= readout_tolerance(dtype, gates)


@pytest.mark.parametrize("setting", [case for case in COMPLETE if case.name == "statevector"], ids=str)
def test_the_norm_of_amplitudes_does_not_matter(setting: Setting, dtype: torch.dtype, check: Check) -> None:
    """Nor does it to the gradient, which is orthogonal to a change of norm."""
    circuit = ansatz_circuit("ring")
    backend = setting.create(circuit, dtype)
    angles = random_angles(circuit, 2, batch=2).to(backend.real_dtype).requires_grad_()
    start = (3 * random_states(N_QUBITS, 2)).to(dtype).requires_grad_()
    exact, begin = angles.detach().double().requires_grad_(), start.detach().to(torch.complex128).requires_grad_()
    loss = Loss.random(N_QUBITS, 2, batch=2)
    state, z = run(backend, angles, StatevectorState(N_QUBITS, start))
    psi, expected = run_oracle(circuit, exact, begin)
    check(setting, dtype, "readout", largest(z - expected), readout_tolerance(dtype, n_gates(circuit, 2)))
    assert largest(backend.readout(state) - expected[-1]) <= readout_tolerance(dtype, n_gates(circuit, 2))
    found = gradient(loss(backend.to_dense(state), z), angles, start)
    error = relative_error(found, gradient(loss(psi, expected), exact, begin))
    check(setting, dtype, "gradient", error, GRADIENT[dtype])


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_entropies_pauli_strings_and_fidelity(setting: Setting, dtype: torch.dtype, topology: str) -> None:
    """Whatever the state is, truncated or not: every reading is that of `to_dense`."""
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, dtype)
    state, _ = run(backend, random_angles(circuit, 2, batch=2))
    other, _ = run(backend, random_angles(circuit, 2, batch=2, seed=1))
    psi, phi = (backend.to_dense(s).to(torch.complex128) for s in (state, other))
    gates = n_gates(circuit, 2)
    # -x ln x has an infinite slope at zero: rounding of size d in a Schmidt weight costs d |ln d|.
    entropy_tolerance = 40 * weight_tolerance(dtype, gates)
    assert largest(backend.entanglement_entropy(state) - oracle.entropies(psi)) <= entropy_tolerance
    for cut, values in enumerate(backend.schmidt_values(state)):
        exact = torch.linalg.svdvals(psi.reshape(2, 2 ** (cut + 1), -1) / psi.norm(dim=1)[:, None, None])
        shared = min(values.shape[1], exact.shape[1])
        assert largest(values[:, :shared].double() - exact[:, :shared]) <= weight_tolerance(dtype, gates)
        assert exact[:, shared:].sum() <= weight_tolerance(dtype, gates)
        assert largest(values.square().sum(1) - 1) <= weight_tolerance(dtype, gates)
    strings = ["XYZIIZYX", "IIIIIIII", "ZZZZZZZZ", "IIXXIIII"]
    expected = torch.stack([oracle.expectation(psi, string) for string in strings], 1)
    assert largest(backend.expectation(state, strings) - expected) <= readout_tolerance(dtype, gates)
    assert torch.equal(backend.expectation(state, strings[0]), backend.expectation(state, strings)[:, 0])
    assert largest(backend.fidelity(state, other) - oracle.fidelity(psi, phi)) <= weight_tolerance(dtype, gates)
    assert largest(backend.fidelity(state, state) - 1) <= weight_tolerance(dtype, gates)


@pytest.mark.parametrize("ours", ALL, ids=str)
@pytest.mark.parametrize("theirs", [EXACT[0], FITTING, TRUNCATING[0]], ids=str)
def test_fidelity_across_backends(ours: Setting, theirs: Setting) -> None:
    circuit = ansatz_circuit("ring")
    a, b = ours.create(circuit), theirs.create(circuit)
    state, _ = run(a, random_angles(circuit, 2, batch=2))
    other, _ = run(b, random_angles(circuit, 2, batch=2, seed=1))
    expected = oracle.fidelity(a.to_dense(state), b.to_dense(other))
    assert largest(a.fidelity(state, other) - expected) <= weight_tolerance(torch.complex128, 4 * len(circuit))


# Law 3: differentiable in the angles and in the incoming state, however the timesteps are split into calls.


def test_gradient_against_the_oracle(setting: Setting, dtype: torch.dtype, topology: str, check: Check) -> None:
    """The first timestep's angles reach the loss through the incoming state of the second."""
    circuit, steps = ansatz_circuit(topology), STEPS_THAT_FIT[topology]
    loss = Loss.random(N_QUBITS, steps, batch=2)
    backend = setting.create(circuit, dtype)
    angles = random_angles(circuit, steps, batch=2)
    expected = expect(circuit, angles).gradient
    angles = angles.to(backend.real_dtype).requires_grad_()
    state, z = run(backend, angles)
    error = relative_error(gradient(loss(backend.to_dense(state), z), angles), expected)
    check(setting, dtype, "gradient", error, GRADIENT[dtype])


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
def test_gradient_in_any_incoming_state(setting: Setting, dtype: torch.dtype, topology: str, check: Check) -> None:
    circuit, steps = ansatz_circuit(topology, "rxx"), 2
    loss = Loss.random(N_QUBITS, steps, batch=2)
    backend = setting.create(circuit, dtype)
    angles = random_angles(circuit, steps, batch=2).to(backend.real_dtype).requires_grad_()
    start = random_states(N_QUBITS, 2).to(dtype).requires_grad_()
    state, z = run(backend, angles, backend.from_dense(start))
    exact, begin = angles.detach().double().requires_grad_(), start.detach().to(torch.complex128).requires_grad_()
    normalised = begin / begin.norm(dim=1, keepdim=True)
    expected = gradient(loss(*run_oracle(circuit, exact, normalised)), exact, begin)
    error = relative_error(gradient(loss(backend.to_dense(state), z), angles, start), expected)
    check(setting, dtype, "gradient", error, GRADIENT[dtype])


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_splitting_a_sequence_changes_nothing(setting: Setting, topology: str) -> None:
    """Bitwise: a state carries all there is to carry."""
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, torch.complex64)
    angles = random_angles(circuit, 3, batch=2).to(backend.real_dtype)

    def value_and_gradient(cuts: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = angles.clone().requires_grad_()
        state, readouts = backend.initial_state(2), []
        for piece in torch.tensor_split(leaf, cuts):
            state, z = run(backend, piece, state)
            readouts.append(z)
        z = torch.cat(readouts)
        weights = torch.linspace(-1, 1, z.numel(), dtype=z.dtype).reshape(z.shape)
        return z.detach(), gradient((weights * z).sum() + backend.expectation(state, "XYZZYXIX").sum(), leaf)

    whole = value_and_gradient(())
    for cuts in ((1,), (1, 2)):
        assert all(torch.equal(a, b) for a, b in zip(whole, value_and_gradient(cuts), strict=True))


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_detach_cuts_the_graph_and_nothing_else(setting: Setting, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit)
    early, late = random_angles(circuit, 4, batch=2).split(2)
    early, late = early.requires_grad_(), late.requires_grad_()
    state, _ = run(backend, early)
    through, _ = run(backend, late, state)
    cut, z = run(backend, late, state.detach())
    assert all(torch.equal(a, b) for a, b in zip(through.tensors, cut.tensors, strict=True))
    gradients = torch.autograd.grad(z.sum(), [early, late], allow_unused=True)
    assert gradients[0] is None
    assert gradients[1] is not None
    assert all(not tensor.requires_grad for tensor in state.detach().tensors)


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_second_derivatives_are_right_or_refused(setting: Setting) -> None:
    """A hand-written backward that is differentiated again must not answer with a wrong number.

    `once_differentiable` alone does not see to that: autograd.grad skips nodes that do not lead to its inputs.
    """
    circuit = ansatz_circuit("ring")
    backend = setting.create(circuit)
    angles = random_angles(circuit, 2, batch=1)
    direction = random_angles(circuit, 2, batch=1, seed=5)

    def slope(point: torch.Tensor, create_graph: bool = False) -> torch.Tensor:
        loss = run(backend, point)[1].square().sum()
        (found,) = torch.autograd.grad(loss, point, create_graph=create_graph)
        return found

    leaf = angles.clone().requires_grad_()
    try:
        (found,) = torch.autograd.grad((slope(leaf, create_graph=True) * direction).sum(), leaf)
    except (RuntimeError, InvalidInput):
        return
    above, below = ((angles + sign * 1e-5 * direction).requires_grad_() for sign in (1, -1))
    expected = (slope(above) - slope(below)) / 2e-5
    assert relative_error(found, expected) <= 1e-5


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_evaluating_first_does_not_spoil_training(setting: Setting) -> None:
    circuit = ansatz_circuit("ring")
    circuit.h(0).swap(1, 5).t(2)
    backend = setting.create(circuit)
    angles = random_angles(circuit, 1, batch=2)
    with torch.inference_mode():
        run(backend, angles)
    leaf = angles.clone().requires_grad_()
    assert torch.isfinite(gradient(run(backend, leaf)[1].sum(), leaf)).all()


# Law 4: settings and states are frozen.


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_step_leaves_its_input_alone(setting: Setting, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit)
    state, _ = run(backend, random_angles(circuit, 1, batch=2))
    before = [tensor.clone() for tensor in state.tensors]
    angles = random_angles(circuit, 1, batch=2, seed=3)[0]
    kept = angles.clone()
    first = backend.step(state, angles)[1]
    assert torch.equal(backend.step(state, angles)[1], first)
    assert torch.equal(angles, kept)
    assert all(torch.equal(a, b) for a, b in zip(before, state.tensors, strict=True))
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.n_qubits = 3
    with pytest.raises(AttributeError):
        backend.dtype = torch.complex64  # type: ignore[misc]


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_a_backend_keeps_the_circuit_it_was_given(setting: Setting) -> None:
    circuit = ansatz_circuit("chain")
    angles = random_angles(circuit, 1, batch=1)
    backend = setting.create(circuit)
    expected = run(backend, angles)[1]
    circuit.rx(0).cx(0, 5)
    assert backend.n_angles == angles.shape[-1]
    assert torch.equal(run(backend, angles)[1], expected)


# Law 5: the batch is a real axis.


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_samples_do_not_see_each_other(setting: Setting, dtype: torch.dtype, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, dtype)
    angles = random_angles(circuit, 2, batch=3)
    state, z = run(backend, angles)
    tolerance = readout_tolerance(dtype, n_gates(circuit, 2))
    for k in range(3):
        alone, z_alone = run(backend, angles[:, k : k + 1])
        assert largest(z[:, k] - z_alone[:, 0]) <= tolerance
        assert largest(state[k].truncation_error - alone.truncation_error) <= tolerance
        assert largest(backend.fidelity(state[k], alone) - 1) <= tolerance


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_a_gradient_stays_with_its_sample(setting: Setting, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    leaf = random_angles(circuit, 2, batch=3).requires_grad_()
    _, z = run(setting.create(circuit), leaf)
    (found,) = torch.autograd.grad(z[:, 1].sum(), leaf)
    assert largest(found[:, [0, 2]]) == 0
    assert largest(found[:, 1]) > 0


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_choosing_samples(setting: Setting) -> None:
    circuit = ansatz_circuit("ring")
    backend = setting.create(circuit)
    state, z = run(backend, random_angles(circuit, 2, batch=4))
    z = z[-1]
    chosen = {
        "integer": (state[2], [2]),
        "negative": (state[-1], [3]),
        "slice": (state[1:3], [1, 2]),
        "list": (state[[3, 0, 0]], [3, 0, 0]),
        "tensor": (state[torch.tensor([2, 1])], [2, 1]),
        "mask": (state[torch.tensor([True, False, False, True])], [0, 3]),
    }
    for name, (part, rows) in chosen.items():
        assert part.batch_size == len(rows), name
        assert largest(backend.readout(part) - z[rows]) <= readout_tolerance(torch.complex128, 1), name
        assert torch.equal(part.truncation_error, state.truncation_error[rows]), name


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_where_takes_each_sample_from_one_of_two_states(setting: Setting, topology: str) -> None:
    """States of different histories, the initial one included: starting some sequences anew is what it is for."""
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit)
    late, _ = run(backend, random_angles(circuit, 2, batch=3))
    mask = torch.tensor([True, False, True])
    for other in (backend.initial_state(3), run(backend, random_angles(circuit, 1, batch=3, seed=1))[0]):
        mixed = late.where(mask, other)
        expected = torch.where(mask[:, None], backend.readout(late), backend.readout(other))
        assert largest(backend.readout(mixed) - expected) <= readout_tolerance(torch.complex128, 1)
        dense = torch.where(mask[:, None], backend.to_dense(late), backend.to_dense(other))
        assert largest(backend.to_dense(mixed) - dense) <= state_tolerance(torch.complex128, 1)
        angles = random_angles(circuit, 1, batch=3, seed=2)
        after = torch.where(mask[:, None], run(backend, angles, late)[1][0], run(backend, angles, other)[1][0])
        assert largest(run(backend, angles, mixed)[1][0] - after) <= readout_tolerance(torch.complex128, len(circuit))


# Converting.


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
def test_dense_round_trip(setting: Setting, dtype: torch.dtype) -> None:
    backend = setting.create(ansatz_circuit("ring"), dtype)
    amplitudes = random_states(N_QUBITS, 3).to(dtype)
    state = backend.from_dense(3 * amplitudes)  # normalised on the way in
    assert largest(backend.to_dense(state) - amplitudes) <= state_tolerance(dtype, 1)
    assert state.batch_size == 3


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_a_state_of_ours_survives_dense_and_quimb(setting: Setting) -> None:
    """A state that fits is what comes back, to a phase."""
    circuit = ansatz_circuit("brickwork")
    backend = setting.create(circuit)
    state, _ = run(backend, random_angles(circuit, 2, batch=2))
    tolerance = weight_tolerance(torch.complex128, 2 * len(circuit))
    again = backend.from_dense(backend.to_dense(state))
    assert largest(backend.fidelity(state, again) - 1) <= tolerance
    again = backend.from_quimb([backend.to_quimb(state, k) for k in range(2)])
    assert largest(backend.to_dense(again) - backend.to_dense(state)) <= tolerance
    assert largest(backend.fidelity(state[1], backend.from_quimb(backend.to_quimb(state, 1))) - 1) <= tolerance


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("setting", ALL, ids=str)
def test_to_another_device(setting: Setting, dtype: torch.dtype) -> None:
    state = setting.create(ansatz_circuit("ring"), dtype).initial_state(2)
    assert state.to("meta").device == torch.device("meta")
    assert state.to("cpu").dtype == dtype


# Law 6, at points where derivatives are easily lost, is in test_degenerate.py; law 7 in test_refusals.py.


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
def test_norm_over_many_timesteps(setting: Setting, dtype: torch.dtype) -> None:
    circuit = ansatz_circuit("ring", n_qubits=4)
    backend = setting.create(circuit, dtype)
    state, _ = run(backend, random_angles(circuit, 100, batch=1))
    norm = float(torch.linalg.vector_norm(backend.to_dense(state)))
    assert abs(norm - 1) <= EPS[dtype] * 4 * len(circuit) * 10  # rounding errors of either sign: the root of 100 steps


def test_oracle_and_backends_agree_on_a_whole_unitary() -> None:
    circuit = ansatz_circuit("ring", n_qubits=3)
    angles = random_angles(circuit, 1, 1)[0, 0]
    backend = EXACT[0].create(circuit)
    columns = backend.from_dense(torch.eye(8, dtype=torch.complex128))
    evolved, _ = backend.step(columns, angles.expand(8, -1))
    expected = oracle.unitary(gate_tuples(circuit), 3, angles)
    torch.testing.assert_close(backend.to_dense(evolved).T, expected, rtol=0, atol=1e-13)
