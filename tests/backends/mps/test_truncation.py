"""What truncation costs, and what the state says that it cost."""

from __future__ import annotations

import math

import pytest
import torch

from backends import Circuit, MPSState
from tests import oracle
from tests.backends.cases import (
    FITTING,
    N_QUBITS,
    STEPS_THAT_FIT,
    TRUNCATING,
    Setting,
    ansatz_circuit,
    largest,
    n_gates,
    random_angles,
    random_circuit,
    random_states,
    run,
    run_oracle,
)
from tests.tolerances import EPS, discarded_tolerance, readout_tolerance, weight_tolerance

LOSSY = (*TRUNCATING, *[Setting("mps", {"max_bond": 5, "truncation_cutoff": cutoff}) for cutoff in (1e-8, 1e-3, 0.1)])


def circuits() -> dict[str, Circuit]:
    ansatzes = {topology: ansatz_circuit(topology) for topology in ("chain", "ring", "brickwork")}
    return {**ansatzes, "rxx": ansatz_circuit("ring", "rxx"), "random": random_circuit(N_QUBITS, 40, seed=2)}


@pytest.mark.parametrize("setting", LOSSY, ids=str)
@pytest.mark.parametrize("name", circuits())
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_errors_stay_below_the_bound_that_the_state_reports(
    setting: Setting, name: str, scale: float, dtype: torch.dtype
) -> None:
    """For pure states with infidelity e, |<O>_a - <O>_b| <= |O| |rho_a - rho_b|_1 = 2 sqrt(e), O a Pauli matrix."""
    circuit = circuits()[name]
    backend = setting.create(circuit, dtype)
    angles = random_angles(circuit, 2, batch=3, scale=scale).to(backend.real_dtype)
    state, z = run(backend, angles)
    psi, expected = run_oracle(circuit, angles)
    infidelity = 1 - oracle.fidelity(backend.to_dense(state).to(torch.complex128), psi)
    bound = state.infidelity_bound.double()
    gates = n_gates(circuit, 2)
    assert (infidelity <= bound + weight_tolerance(dtype, gates)).all()
    deviation = (z[-1] - expected[-1]).abs().amax(1)
    assert (deviation <= 2 * bound.sqrt() + readout_tolerance(dtype, gates)).all()
    assert (bound <= 1).all()
    # One truncation costs its weight; several cost at most what the angles between the rays add up to.
    rounding = EPS[dtype] * gates
    assert ((state.truncation_error <= bound + rounding) | (bound >= 1 - rounding)).all()


def test_something_is_truncated_at_all() -> None:
    for setting in TRUNCATING:
        circuit = ansatz_circuit("ring")
        state, _ = run(setting.create(circuit), random_angles(circuit, 4, batch=3))
        assert (state.truncation_error > 1e-3).all()


@pytest.mark.parametrize("max_bond", [1, 2, 3, 4, 7, 9, 15])
def test_one_truncation_discards_what_the_schmidt_values_say(max_bond: int, dtype: torch.dtype) -> None:
    """From a dense state: the weight beyond `max_bond` at the cut after the first block."""
    backend = Setting("mps", {"max_bond": max_bond}).create(Circuit(N_QUBITS), dtype)
    psi = random_states(N_QUBITS, 2)
    state = backend.from_dense(psi.to(dtype))
    first = len(state.layout.blocks[0])
    weights = torch.linalg.svdvals(psi.reshape(2, 2**first, -1)) ** 2
    least = weights[:, max_bond:].sum(1)
    if state.layout.n_sites == 2:
        assert largest(state.truncation_error - least) <= weight_tolerance(dtype, 1)
        assert largest(state.infidelity_bound - least) <= weight_tolerance(dtype, 1)
        assert largest(1 - oracle.fidelity(backend.to_dense(state), psi) - least) <= weight_tolerance(dtype, 1)
    assert (state.truncation_error >= least - weight_tolerance(dtype, 1)).all()


def test_the_ledger_adds_angles_between_rays(topology: str) -> None:
    """Two truncations of weight e: weights add to 2e, the bound is sin^2(2 arcsin sqrt(e))."""
    circuit = Circuit(2).u3(0).u3(1).rxx(0, 1)
    backend = Setting("mps", {"max_bond": 1}).create(circuit)
    angles = torch.zeros(2, 1, circuit.n_angles, dtype=torch.float64)
    angles[..., -1] = 0.6  # RXX(0.6)|00>: Schmidt weights cos^2(0.3), sin^2(0.3), and truncated back to |00>
    state, z = run(backend, angles)
    weight = math.sin(0.3) ** 2
    assert float(state.truncation_error) == pytest.approx(2 * weight)
    assert float(state.infidelity_bound) == pytest.approx(math.sin(0.6) ** 2)
    assert largest(z[-1] - z[0]) <= readout_tolerance(torch.complex128, 4)
    psi, _ = run_oracle(circuit, angles)
    assert float(1 - oracle.fidelity(psi, backend.to_dense(state))) == pytest.approx(math.sin(0.6) ** 2)


def test_nothing_truncated_nothing_reported(topology: str, dtype: torch.dtype) -> None:
    circuit, steps = ansatz_circuit(topology), STEPS_THAT_FIT[topology]
    for setting in (FITTING, Setting("mps", {"max_bond": None}), Setting("mps", {"max_bond": 16})):
        state, _ = run(setting.create(circuit, dtype), random_angles(circuit, steps, batch=2))
        assert largest(state.truncation_error) <= discarded_tolerance(dtype, n_gates(circuit, steps))


def test_a_ledger_does_not_depend_on_the_neighbours(topology: str) -> None:
    """A sample that needs no truncation stays exact among samples that do."""
    circuit = ansatz_circuit(topology)
    angles = random_angles(circuit, 2, batch=3)
    angles[:, 1] = 0
    state, z = run(TRUNCATING[0].create(circuit), angles)
    error = state.truncation_error
    assert float(error[1]) == 0
    assert (error[[0, 2]] > 1e-4).all()
    assert torch.equal(z[:, 1], torch.tensor([0.0] * 16 + [1.0] * 8, dtype=torch.float64).expand(2, -1))
    for k in range(3):
        alone, _ = run(TRUNCATING[0].create(circuit), angles[:, k : k + 1])
        assert largest(alone.truncation_error - error[k]) <= weight_tolerance(torch.complex128, n_gates(circuit, 2))


def test_no_gradient_through_the_ledger() -> None:
    circuit = ansatz_circuit("ring")
    state, _ = run(TRUNCATING[0].create(circuit), random_angles(circuit, 2, batch=1).requires_grad_())
    assert not state.truncation_error.requires_grad
    assert not state.infidelity_bound.requires_grad


def test_truncation_error_grows_and_survives_detach() -> None:
    circuit = ansatz_circuit("ring")
    backend = TRUNCATING[0].create(circuit)
    state, _ = run(backend, random_angles(circuit, 1, batch=2))
    later, _ = run(backend, random_angles(circuit, 1, batch=2, seed=1), state.detach())
    assert (later.truncation_error > state.truncation_error).all()
    assert torch.equal(state.detach().truncation_error, state.truncation_error)


# The cutoff is a mask: shapes do not depend on data.


def shapes(state: MPSState) -> list[torch.Size]:
    return [site.shape for site in state.sites]


@pytest.mark.parametrize("cutoff", [0.0, 1e-6, 1e-2, 0.5])
def test_shapes_do_not_depend_on_data(cutoff: float, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = Setting("mps", {"max_bond": 5, "truncation_cutoff": cutoff}).create(circuit)
    first = backend.initial_state(2)
    expected = [torch.Size((2, *shape)) for shape in backend.layout.shapes()]
    assert shapes(first) == expected
    for scale in (0.0, 1e-3, 3.0):
        assert shapes(run(backend, random_angles(circuit, 2, batch=2, scale=scale))[0]) == expected


def test_cutoff_zero_is_no_cutoff(topology: str) -> None:
    circuit = ansatz_circuit(topology)
    angles = random_angles(circuit, 3, batch=2)
    states = [
        run(Setting("mps", options).create(circuit), angles)[0]
        for options in ({"max_bond": 5}, {"max_bond": 5, "truncation_cutoff": 0.0})
    ]
    assert all(torch.equal(a, b) for a, b in zip(states[0].tensors, states[1].tensors, strict=True))


def test_a_larger_cutoff_discards_more() -> None:
    circuit = ansatz_circuit("chain")
    angles = random_angles(circuit, 1, batch=2, scale=0.3)
    errors = [
        float(
            run(Setting("mps", {"max_bond": 9, "truncation_cutoff": cutoff}).create(circuit), angles)[0]
            .truncation_error.sum()
        )
        for cutoff in (0.0, 1e-6, 1e-3, 1e-2)
    ]  # fmt: skip
    assert errors == sorted(errors)
    assert errors[0] < 1e-20 < errors[-1]


def test_the_largest_schmidt_value_always_stays() -> None:
    """Even a cutoff that all of the equal Schmidt weights 1/4 fall below leaves a state."""
    circuit = Circuit(4).h(0).cx(0, 2).h(1).cx(1, 3)
    backend = Setting("mps", {"max_bond": 3, "truncation_cutoff": 0.9}).create(circuit)
    state, z = run(backend, torch.zeros(1, 1, 0))
    assert torch.isfinite(z).all()
    assert float(torch.linalg.vector_norm(backend.to_dense(state))) == pytest.approx(1)
    assert float(state.truncation_error) >= 0.75 - 1e-12
