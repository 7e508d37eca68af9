"""Sums by torch over many terms in single precision, and sites of an MPS that no sweep passes, over many timesteps."""

from __future__ import annotations

import math

import pytest
import torch

from backends import Circuit, create_backend
from backends.sums import total


def rotations(n: int) -> Circuit:
    circuit = Circuit(n)
    for qubit in range(n):
        circuit.ry(qubit)
    return circuit


@pytest.mark.parametrize("terms", [1, 255, 256, 257, 100_000])
def test_a_sum_of_equal_terms_is_their_number_times_one(terms: int) -> None:
    """0.1 in single precision, added 100,000 times one by one, is off by 1e-2 of itself."""
    values = torch.full((2, terms), 0.1, requires_grad=True)
    found = total(values)
    assert found.dtype == torch.float64
    expected = terms * float(torch.tensor(0.1).double())
    torch.testing.assert_close(found, torch.full((2,), expected, dtype=torch.float64), rtol=1e-6, atol=0)
    (gradient,) = torch.autograd.grad(found.sum(), values)
    assert torch.equal(gradient, torch.ones(2, terms))


@pytest.mark.parametrize("engine", ["kernel", "contraction"])
@pytest.mark.parametrize("steps", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_sites_that_the_centre_never_visits_keep_their_norm(engine: str, steps: int) -> None:
    """Rotations alone, the same at every timestep: after t of them X = sin(t a), Z = cos(t a), with a as it is stored.

    The rotation itself drifts by the rounding of its cosine and sine, half a unit of the last place for each timestep.
    """
    n, angle = 6, torch.tensor(0.9)
    backend = create_backend("mps", rotations(n), max_bond=4, engine=engine)
    angles = angle.expand(2, n)
    state = backend.initial_state(2)
    with torch.no_grad():
        for _ in range(steps):
            state, z = backend.step(state, angles)
    x, _, z = z.double().split(n, 1)
    norm = (x**2 + z**2).sqrt()  # the length of a Bloch vector, which no rotation changes
    assert float((norm - 1).abs().max()) <= 2e-6
    turned = steps * float(angle.double())
    assert float((torch.atan2(x, z) - math.remainder(turned, 2 * math.pi)).abs().max()) <= steps * 6e-8
