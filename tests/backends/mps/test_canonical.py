"""The invariants of an MPS state: canonical around its centre, of norm one, of the layout's shapes."""

from __future__ import annotations

import itertools

import pytest
import torch

from backends import Circuit, MPSState
from backends.mps.layout import Layout
from tests.backends.cases import (
    N_QUBITS,
    Setting,
    ansatz_circuit,
    largest,
    n_gates,
    random_angles,
    random_circuit,
    random_states,
)
from tests.tolerances import state_tolerance

CIRCUITS = {
    **{topology: ansatz_circuit(topology) for topology in ("chain", "ring", "brickwork")},
    "backwards": Circuit(N_QUBITS).h(7).ry(6).cx(7, 6).crx(6, 5).crx(5, 4).crx(4, 3).crx(3, 2).crx(2, 1).crx(1, 0),
    "far": Circuit(N_QUBITS).h(0).cry(0, 7).swap(7, 2).ry(3).crx(3, 6).rxx(1, 5),
    "local": Circuit(N_QUBITS).h(0).cx(0, 1).ry(7).cry(7, 6).ry(3),
    **{f"random-{seed}": random_circuit(N_QUBITS, 30, seed) for seed in range(2)},
}


def isometry_defect(state: MPSState) -> float:
    """The largest deviation of a site left (right) of the centre from an isometry from the left (right)."""
    worst = 0.0
    for index, site in enumerate(state.sites):
        if index == state.centre:
            continue
        matrix = site.flatten(1, 2) if index < state.centre else site.flatten(2).mH
        gram = matrix.mH @ matrix
        worst = max(worst, largest(gram - torch.eye(gram.shape[1], dtype=gram.dtype)))
    return worst


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("max_bond", [1, 2, 5, 9])
def test_canonical_form_survives_steps(name: str, max_bond: int, dtype: torch.dtype) -> None:
    circuit, cutoff = CIRCUITS[name], 1e-3 if max_bond == 9 else 0.0
    backend = Setting("mps", {"max_bond": max_bond, "truncation_cutoff": cutoff}).create(circuit, dtype)
    state = backend.initial_state(2)
    for step, angles in enumerate(random_angles(circuit, 3, batch=2).to(backend.real_dtype)):
        tolerance = state_tolerance(dtype, n_gates(circuit, step + 1))
        assert isometry_defect(state) <= tolerance
        norms = torch.linalg.vector_norm(state.sites[state.centre].flatten(1), dim=1)
        assert largest(norms - 1) <= tolerance
        assert largest(torch.linalg.vector_norm(backend.to_dense(state), dim=1) - 1) <= tolerance
        state, _ = backend.step(state, angles)
    assert isometry_defect(state) <= state_tolerance(dtype, n_gates(circuit, 3))


@pytest.mark.parametrize("max_bond", [1, 2, 5, 9, 16])
def test_canonical_form_of_converted_states(max_bond: int, dtype: torch.dtype) -> None:
    backend = Setting("mps", {"max_bond": max_bond}).create(Circuit(N_QUBITS), dtype)
    for amplitudes in (random_states(N_QUBITS, 2), torch.eye(2, 2**N_QUBITS, dtype=torch.complex128)):
        state = backend.from_dense(amplitudes.to(dtype))
        assert isometry_defect(state) <= state_tolerance(dtype, N_QUBITS)
        assert largest(state.sites[state.centre].flatten(1).norm(dim=1) - 1) <= state_tolerance(dtype, N_QUBITS)


@pytest.mark.parametrize("n_qubits", range(1, 12))
@pytest.mark.parametrize("max_bond", [1, 2, 3, 4, 7, 8, 15, 16, 31, 32, None])
def test_layout(n_qubits: int, max_bond: int | None) -> None:
    """Every qubit has one place, in order; a bond exists only where it can be larger than `max_bond` allows."""
    layout = Layout.of(n_qubits, max_bond)
    assert [qubit for block in layout.blocks for qubit in block] == list(range(n_qubits))
    for qubit in range(n_qubits):
        site, position = layout.find(qubit)
        assert layout.blocks[site][position] == qubit
    complete = max_bond is None or max_bond >= 2 ** (n_qubits // 2)
    assert (layout.n_sites == 1) == complete
    for left in range(layout.n_sites - 1):
        cut = layout.blocks[left][-1] + 1
        assert 2 ** min(cut, n_qubits - cut) > max_bond
    shapes = layout.shapes()
    assert shapes[0][0] == 1 == shapes[-1][2]
    assert all(a[2] == b[0] == max_bond for a, b in itertools.pairwise(shapes))
