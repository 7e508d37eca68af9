"""`target_error`: as few Schmidt values as it allows, and a count of the truncations where `max_bond` is in the way."""

from __future__ import annotations

import math

import pytest
import torch

from backends import InvalidInput, MPSBackend
from backends.mps.state import MPSState
from tests.backends.cases import ansatz_circuit, random_angles

ENGINES = pytest.mark.parametrize("engine", ["kernel", "contraction"])


def ranks(backend: MPSBackend, state: MPSState) -> int:
    """How many Schmidt values are above rounding, over all samples and cuts."""
    return sum(int((values > 1e-7).sum()) for values in backend.schmidt_values(state))


@ENGINES
@pytest.mark.parametrize("target", [0.0, 1e-6, 1e-3, 1e-1])
def test_truncations_keep_to_the_target_or_are_counted(engine: str, target: float, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    angles = random_angles(circuit, 1, 5)[0].double()
    backend = MPSBackend(circuit, max_bond=4, target_error=target, engine=engine, dtype=torch.complex128)
    state, _ = backend.step(backend.initial_state(5), angles)
    plain = MPSBackend(circuit, max_bond=4, engine=engine, dtype=torch.complex128)
    reference, _ = plain.step(plain.initial_state(5), angles)
    assert (reference.max_bond_binds == 0).all()
    truncations = 100  # more than there are
    assert ((state.truncation_error <= truncations * target + 1e-12) | (state.max_bond_binds > 0)).all()
    if target == 1e-1:
        assert ranks(backend, state) < ranks(plain, reference)


@ENGINES
def test_a_loose_target_never_binds_and_a_small_bond_does(engine: str) -> None:
    circuit = ansatz_circuit("chain")
    angles = random_angles(circuit, 1, 3)[0].double()
    counts = []
    for max_bond, target in ((4, 0.9), (1, 1e-9)):
        backend = MPSBackend(circuit, max_bond=max_bond, target_error=target, engine=engine, dtype=torch.complex128)
        counts.append(backend.step(backend.initial_state(3), angles)[0].max_bond_binds)
    assert (counts[0] == 0).all()
    assert (counts[1] > 0).all()


def test_engines_agree(topology: str) -> None:
    circuit = ansatz_circuit(topology)
    angles = random_angles(circuit, 2, 3).double()
    outcomes = []
    for engine in ("kernel", "contraction"):
        backend = MPSBackend(circuit, max_bond=3, target_error=1e-2, engine=engine, dtype=torch.complex128)
        leaf, state = angles.clone().requires_grad_(), backend.initial_state(3)
        for step in leaf:
            state, z = backend.step(state, step)
        z.square().sum().backward()
        outcomes.append((z.detach(), leaf.grad, state.truncation_error, state.max_bond_binds))
    for one, other in zip(*outcomes, strict=True):
        assert torch.allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("target", [-1e-3, 1.0, math.nan, "small"])
def test_refusals(target: object) -> None:
    with pytest.raises(InvalidInput, match="target_error"):
        MPSBackend(ansatz_circuit("chain"), target_error=target)  # type: ignore[arg-type]
