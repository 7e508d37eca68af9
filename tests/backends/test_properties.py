"""Laws 1 and 2, the error bound and finite gradients, for circuits, angles and settings that nobody chose."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from backends import Circuit
from tests import oracle
from tests.backends.cases import COMPLETE, Setting, gradient, largest, n_gates, random_unitary, run, run_oracle
from tests.tolerances import readout_tolerance, state_tolerance, weight_tolerance

ANGLES = st.one_of(st.sampled_from([0.0, torch.pi, -torch.pi, torch.pi / 2]), st.floats(-7, 7, width=32))


@st.composite
def circuits(draw: DrawFn) -> Circuit:
    n_qubits = draw(st.integers(1, 6))
    circuit = Circuit(n_qubits)
    names = st.sampled_from((*oracle.ONE_QUBIT, *(oracle.TWO_QUBIT if n_qubits > 1 else ()), "unitary"))
    for name in draw(st.lists(names, max_size=14)):
        width = 2 if name in oracle.TWO_QUBIT else draw(st.integers(1, min(2, n_qubits))) if name == "unitary" else 1
        qubits = draw(st.permutations(range(n_qubits)))[:width]
        if name == "unitary":
            circuit.unitary(random_unitary(2**width, seed=draw(st.integers(0, 9))), *qubits)
        else:
            circuit.append(name, *qubits)
    return circuit


@st.composite
def runs(draw: DrawFn) -> tuple[Circuit, torch.Tensor, Setting]:
    """A circuit, angles of one or two timesteps and two samples, and settings of an MPS."""
    circuit = draw(circuits())
    steps = draw(st.integers(1, 2))
    count = steps * 2 * circuit.n_angles
    values = draw(st.lists(ANGLES, min_size=count, max_size=count))
    angles = torch.tensor(values, dtype=torch.float64).reshape(steps, 2, circuit.n_angles)
    options: dict[str, Any] = {
        "max_bond": draw(st.integers(1, 8)),
        "truncation_cutoff": draw(st.sampled_from([0.0, 1e-12, 1e-4, 0.1])),
    }
    return circuit, angles, Setting("mps", options)


@given(runs())
@settings(max_examples=60)
def test_exact_backends_agree_with_the_oracle(case: tuple[Circuit, torch.Tensor, Setting]) -> None:
    circuit, angles, _ = case
    psi, expected = run_oracle(circuit, angles)
    gates = n_gates(circuit, len(angles))
    for setting in (*COMPLETE[:2], Setting("mps", {"max_bond": 2 ** (circuit.n_qubits // 2)})):
        backend = setting.create(circuit)
        state, z = run(backend, angles)
        dense = backend.to_dense(state)
        assert largest((dense - psi).norm(dim=1)) <= state_tolerance(torch.complex128, gates)
        assert largest(z - expected) <= readout_tolerance(torch.complex128, gates)
        assert largest(z) <= 1 + readout_tolerance(torch.complex128, gates)
        assert largest(backend.readout(state) - z[-1]) <= readout_tolerance(torch.complex128, 1)


@given(runs())
@settings(max_examples=100)
def test_truncated_runs_keep_their_promises(case: tuple[Circuit, torch.Tensor, Setting]) -> None:
    circuit, angles, setting = case
    backend = setting.create(circuit)
    leaf = angles.clone().requires_grad_()
    state, z = run(backend, leaf)
    psi, expected = run_oracle(circuit, angles)
    gates = n_gates(circuit, len(angles))
    dense, bound = backend.to_dense(state).detach(), state.infidelity_bound
    rounding = readout_tolerance(torch.complex128, gates)
    assert (1 - oracle.fidelity(dense, psi) <= bound + weight_tolerance(torch.complex128, gates)).all()
    deviation = (z[-1] - expected[-1]).detach().abs().amax(1)
    # The bound enters under a root: rounding of size 1e-15 in it becomes 3e-8 there.
    assert (deviation <= 2 * (bound + rounding).sqrt()).all()
    assert largest(z) <= 1 + rounding
    assert largest(dense.norm(dim=1) - 1) <= rounding
    assert largest(backend.readout(state) - z[-1]) <= rounding
    if circuit.n_angles:
        found = gradient(z.square().sum() + backend.fidelity(state, backend.initial_state(2)).sum(), leaf)
        assert torch.isfinite(found).all()
