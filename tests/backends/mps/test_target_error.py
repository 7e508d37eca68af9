"""`target_error`: as few Schmidt values as it allows, and a count of the truncations where `max_bond` is in the way."""

from __future__ import annotations

import math

import pytest
import torch

from backends import Circuit, InvalidInput, MPSBackend
from backends.mps.state import MPSState
from tests import oracle
from tests.backends.cases import ansatz_circuit, largest, random_angles, run, run_oracle
from tests.tolerances import discarded_tolerance, weight_tolerance

DTYPE = torch.complex128
ENGINES = pytest.mark.parametrize("engine", ["kernel", "contraction"])


def ranks(backend: MPSBackend, state: MPSState) -> int:
    """How many Schmidt values are above rounding, over all samples and cuts."""
    return sum(int((values > 1e-7).sum()) for values in backend.schmidt_values(state))


def truncations(circuit: Circuit, backend: MPSBackend) -> int:
    """At most so many in a timestep: a gate truncates the bonds between its two sites, once each."""
    sites = [[backend.layout.find(qubit)[0] for qubit in gate.qubits] for gate in circuit.gates]
    return sum(max(pair) - min(pair) for pair in sites)


@ENGINES
@pytest.mark.parametrize("target", [0.0, 1e-6, 1e-3, 1e-1])
def test_all_truncations_of_a_timestep_keep_to_the_target(engine: str, target: float, topology: str) -> None:
    """One timestep has a rank of at most 4, so that `max_bond` is never in the way."""
    circuit = ansatz_circuit(topology)
    angles = random_angles(circuit, 1, 5)[0].double()
    backend = MPSBackend(circuit, max_bond=4, target_error=target, engine=engine, dtype=DTYPE)
    state, _ = backend.step(backend.initial_state(5), angles)
    plain = MPSBackend(circuit, max_bond=4, engine=engine, dtype=DTYPE)
    reference, _ = plain.step(plain.initial_state(5), angles)
    assert (reference.max_bond_binds == 0).all()
    number = truncations(circuit, backend)
    assert number == {"chain": 3, "ring": 6, "brickwork": 3}[topology]  # sites (0 1 2) (3) (4) (5 6 7); 7 to 0: three
    rounding = discarded_tolerance(DTYPE, len(circuit))
    assert (state.truncation_error <= number * target + rounding).all()
    if target > 0:
        assert (state.max_bond_binds == 0).all()
    if target == 1e-1:
        assert (state.truncation_error > 1e-3).any()
        assert ranks(backend, state) < ranks(plain, reference)


@ENGINES
@pytest.mark.parametrize("target", [1e-6, 1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize("max_bond", [2, 3])
def test_one_truncation_is_the_best_that_the_target_allows(max_bond: int, target: float, engine: str) -> None:
    """Four qubits have one bond then. The best state of a rank has lost the squares of the other Schmidt values."""
    circuit = Circuit(4).ry(0).ry(1).ry(2).ry(3).cry(0, 3).crx(1, 2).u3(0).u3(1).cry(0, 1).u3(2).crx(2, 3)
    angles = torch.cat([random_angles(circuit, 1, 4, seed=seed, scale=s) for seed, s in enumerate((0.1, 0.5, 1, 3))], 1)
    backend = MPSBackend(circuit, max_bond=max_bond, target_error=target, engine=engine, dtype=DTYPE)
    state, _ = run(backend, angles)
    psi, _ = run_oracle(circuit, angles)
    values = torch.linalg.svdvals(psi.reshape(len(psi), 4, 4))
    lost = values.square().flip(1).cumsum(1).flip(1)  # by cutting before each value
    kept = (lost > target).sum(1).clamp(max=max_bond)
    least = torch.cat([lost, torch.zeros(len(psi), 1)], 1).gather(1, kept[:, None])[:, 0]
    rounding = weight_tolerance(DTYPE, len(circuit))
    assert largest(state.truncation_error - least) <= rounding
    assert largest(1 - oracle.fidelity(backend.to_dense(state), psi) - least) <= rounding
    assert torch.equal(state.max_bond_binds, (least > target).double())
    found = backend.schmidt_values(state)[1]
    assert torch.equal((found > 1e-12).sum(1), kept)


@ENGINES
def test_a_loose_target_never_binds_and_a_small_bond_does(engine: str) -> None:
    circuit = ansatz_circuit("chain")
    angles = random_angles(circuit, 1, 3)[0].double()
    counts = []
    for max_bond, target in ((4, 0.9), (1, 1e-9)):
        backend = MPSBackend(circuit, max_bond=max_bond, target_error=target, engine=engine, dtype=DTYPE)
        counts.append(backend.step(backend.initial_state(3), angles)[0].max_bond_binds)
    assert (counts[0] == 0).all()
    assert (counts[1] > 0).all()


def test_engines_agree(topology: str) -> None:
    circuit = ansatz_circuit(topology)
    angles = random_angles(circuit, 2, 3).double()
    outcomes = []
    for engine in ("kernel", "contraction"):
        backend = MPSBackend(circuit, max_bond=3, target_error=1e-2, engine=engine, dtype=DTYPE)
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
