"""How many Schmidt values matter at a cut, by both measures, on every backend."""

from __future__ import annotations

import pytest
import torch

from backends import Circuit
from backends.base import RANK_MEASURES
from tests import oracle
from tests.backends.cases import (
    COMPLETE,
    N_QUBITS,
    TRUNCATING,
    Setting,
    ansatz_circuit,
    largest,
    n_gates,
    random_angles,
    run,
)
from tests.backends.test_refusals import refused
from tests.tolerances import weight_tolerance

ALL = (*COMPLETE, *TRUNCATING)


def bell_pairs() -> Circuit:
    """A pair across every second cut, and one from the first to the last qubit."""
    circuit = Circuit(6)
    for a, b in ((0, 5), (1, 2), (3, 4)):
        circuit.h(a).cx(a, b)
    return circuit


@pytest.mark.parametrize("setting", COMPLETE, ids=str)
@pytest.mark.parametrize("measure", RANK_MEASURES)
def test_pairs_double_the_rank(setting: Setting, measure: str, dtype: torch.dtype) -> None:
    """Where r Schmidt values are equal, both measures are r."""
    backend = setting.create(bell_pairs(), dtype)
    state, _ = run(backend, torch.zeros(1, 2, 0, dtype=torch.float64))
    expected = torch.tensor([2.0, 4.0, 2.0, 4.0, 2.0], dtype=torch.float64).expand(2, -1)
    assert largest(backend.effective_rank(state, measure) - expected) <= 40 * weight_tolerance(dtype, len(bell_pairs()))


@pytest.mark.parametrize("setting", ALL, ids=str)
@pytest.mark.parametrize("measure", RANK_MEASURES)
def test_a_product_has_rank_one(setting: Setting, measure: str) -> None:
    backend = setting.create(ansatz_circuit("ring"))
    assert largest(backend.effective_rank(backend.initial_state(3), measure) - 1) <= 1e-12


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_both_are_those_of_the_amplitudes(setting: Setting, dtype: torch.dtype, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, dtype)
    state, _ = run(backend, random_angles(circuit, 2, batch=2))
    before = [tensor.clone() for tensor in state.tensors]
    psi = backend.to_dense(state).to(torch.complex128)
    psi = psi / psi.norm(dim=1, keepdim=True)
    by_entropy, by_participation = (backend.effective_rank(state, measure) for measure in RANK_MEASURES)
    # An error d in an entropy multiplies its exponential, of at most 16, by about 1 + d.
    tolerance = 16 * 40 * weight_tolerance(dtype, n_gates(circuit, 2))
    assert largest(by_entropy - oracle.entropies(psi).exp()) <= tolerance
    for cut in range(N_QUBITS - 1):
        half = psi.reshape(2, 2 ** (cut + 1), -1)
        purity = (half @ half.mH).abs().square().sum((1, 2))  # trace of the square of the reduced density matrix
        assert largest(by_participation[:, cut] - 1 / purity) <= tolerance
    assert (by_participation <= by_entropy + tolerance).all()
    assert (by_participation >= 1 - tolerance).all()
    if setting in TRUNCATING:
        # The middle cut is one between sites; a cut within a site is not bound by max_bond.
        assert float(by_entropy[:, N_QUBITS // 2 - 1].max()) <= setting.options["max_bond"] + tolerance
    assert all(torch.equal(a, b) for a, b in zip(before, state.tensors, strict=True))


def test_no_cut_no_rank() -> None:
    backend = Setting("mps", {"max_bond": 2}).create(Circuit(1).ry(0))
    assert backend.effective_rank(backend.initial_state(4), "participation").shape == (4, 0)


def test_an_unknown_measure_is_refused() -> None:
    backend = Setting("statevector").create(ansatz_circuit("ring"))
    refused(lambda: backend.effective_rank(backend.initial_state(1), "renyi"), "measure", "'renyi'", "participation")
