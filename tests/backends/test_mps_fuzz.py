"""The MPS whatever it is given: finite, normalised, honest about its error, and steep only where it truncates.

How steep it may be. A gate exp(-i a G) changes an expectation by d<O>/da = <i [G, O]>, which for normalised states is
at most the spread of G (largest minus smallest eigenvalue) times |O|: 1 for every gate of ours and every Pauli string.
So where nothing is truncated, a loss sum_tk w_tk z_tk has |dL/da| <= sum of |w_tk| over the readouts from that timestep
on, whatever the angles. A map that truncates has another derivative, with the gaps between kept and discarded Schmidt
values in the denominator: at a cut through equal values there is no bound, and only finiteness is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from tests import oracle
from tests.backends.cases import gate_tuples, gradient, largest, n_gates
from tests.backends.mps_cases import CASES, Case
from tests.tolerances import EPS, GRADIENT, discarded_tolerance, readout_tolerance, weight_tolerance


@dataclass(frozen=True)
class Run:
    backend: Any
    state: Any
    readouts: Tensor  # (steps, batch, 3n)
    errors: Tensor  # (steps, batch)
    leaf: Tensor


def simulated(case: Case) -> Run:
    backend = case.setting.create(case.circuit, case.dtype)
    leaf = case.angles().to(backend.real_dtype).requires_grad_()
    state, readouts, errors = backend.initial_state(case.batch), [], []
    for step, running in zip(leaf.expand(-1, case.batch, -1), case.running(), strict=True):
        stepped, z = backend.step(state, step)
        state = stepped.where(running, state)
        readouts.append(torch.where(running[:, None], z, 0))
        errors.append(state.truncation_error)
    return Run(backend, state, torch.stack(readouts), torch.stack(errors), leaf)


def exact(case: Case) -> Tensor:
    """The final amplitudes, (batch, 2**n)."""
    psi = oracle.zero_state(case.n_qubits, case.batch)
    gates = gate_tuples(case.circuit)
    for step, running in zip(case.angles().expand(-1, case.batch, -1), case.running(), strict=True):
        psi = torch.where(running[:, None], oracle.evolve(gates, psi, step), psi)
    return psi


def readouts_and_norms(case: Case, run: Run) -> None:
    rounding = readout_tolerance(case.dtype, n_gates(case.circuit, case.steps))
    assert torch.isfinite(run.readouts).all()
    assert largest(run.readouts) <= 1 + rounding
    dense = run.backend.to_dense(run.state).detach()
    assert largest(dense.norm(dim=1) - 1) <= rounding
    assert largest(run.backend.readout(run.state) - oracle.readouts(dense.to(torch.complex128))) <= rounding


def ledger(case: Case, run: Run) -> None:
    gates = n_gates(case.circuit, case.steps)
    assert (run.errors >= 0).all()
    assert (run.errors.diff(dim=0) >= 0).all()
    bound = run.state.infidelity_bound.double()
    assert ((bound >= 0) & (bound <= 1)).all()
    dense = run.backend.to_dense(run.state).detach().to(torch.complex128)
    infidelity = 1 - oracle.fidelity(dense, exact(case))
    # A single truncation meets its bound with equality; the oracle rounds angles of size 1e6, too.
    oracle_rounding = gates * largest(case.angles()) * EPS[torch.complex128] if case.circuit.n_angles else 0.0
    assert (infidelity <= bound + weight_tolerance(case.dtype, gates) + oracle_rounding).all()
    if case.max_bond >= 2 ** (case.n_qubits // 2) and case.cutoff == 0:
        assert (run.errors == 0).all()


def gradients(case: Case, run: Run) -> None:
    if case.circuit.n_angles == 0:
        return
    weights = case.weights()
    last = run.backend.expectation(run.state, case.string())
    found = gradient((weights * run.readouts).sum() + last.sum(), run.leaf).reshape(run.leaf.shape)
    assert torch.isfinite(found).all()
    # From every timestep on, the readouts of a sample that goes on, and the string read at the end.
    reached = (weights.abs().sum(2) * case.running()).flip(0).cumsum(0).flip(0) + 1  # (steps, batch)
    kept_all = run.errors[-1] <= discarded_tolerance(case.dtype, n_gates(case.circuit, case.steps))
    if case.shared:
        reached, kept_all = reached.sum(1, keepdim=True), kept_all.all()[None]
    allowed = (reached * (1 + GRADIENT[case.dtype]))[:, :, None]
    assert (found.abs()[:, kept_all] <= allowed[:, kept_all]).all()


def samples_are_independent(case: Case, run: Run) -> None:
    """Choosing samples, some of them twice, commutes with a further timestep."""
    chosen = [case.batch - 1, 0, case.batch - 1]
    angles = run.leaf.detach()[0].expand(case.batch, -1)
    together, z = run.backend.step(run.state.detach(), angles)
    apart, some = run.backend.step(run.state.detach()[chosen], angles[chosen])
    assert torch.isfinite(some).all()
    kept_all = together.truncation_error[chosen] <= discarded_tolerance(case.dtype, n_gates(case.circuit, case.steps))
    # Where a cut goes through equal Schmidt values, rounding decides, and may depend on the batch.
    assert largest(torch.where(kept_all[:, None], some - z[chosen], 0)) <= readout_tolerance(
        case.dtype, n_gates(case.circuit, case.steps + 1)
    )
    assert (apart.truncation_error >= run.state.truncation_error[chosen]).all()


LAWS: tuple[Callable[[Case, Run], None], ...] = (readouts_and_norms, ledger, gradients, samples_are_independent)


def obey(case: Case) -> None:
    run = simulated(case)
    for law in LAWS:
        law(case, run)


@given(CASES)
@settings(max_examples=80)
def test_any_run(case: Case) -> None:
    obey(case)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(CASES)
@settings(max_examples=3000)
def test_any_of_thousands_of_runs(case: Case) -> None:
    obey(case)
