"""Sums over 2**n terms in single precision: right to 1e-6, however many qubits.

RY(a) on every qubit gives product states whose amplitudes are right to the last bit or two, so that what is wrong is
the sum. By hand: X = sin a, Y = 0, Z = cos a for every qubit, and dX/da = cos a, dZ/da = -sin a in the qubit's own
angle.
"""

from __future__ import annotations

import math

import pytest
import torch

from backends import Circuit, create_backend
from backends.sums import squared_norm, total

ANGLE = 0.9
ENGINES = {
    "kernel": {"engine": "kernel"},
    "reversible": {"engine": "kernel", "gradient": "reversible"},
    "contraction": {"engine": "contraction"},
}
SIZES = [(12, 3), (16, 1), pytest.param(20, 1, marks=pytest.mark.slow), pytest.param(22, 1, marks=pytest.mark.slow)]


def rotations(n: int) -> Circuit:
    circuit = Circuit(n)
    for qubit in range(n):
        circuit.ry(qubit)
    return circuit


@pytest.mark.parametrize(("n", "batch"), SIZES)
@pytest.mark.parametrize("engine", ENGINES)
def test_readouts_and_their_gradients(engine: str, n: int, batch: int) -> None:
    backend = create_backend("statevector", rotations(n), **ENGINES[engine])
    angles = torch.full((batch, n), ANGLE, requires_grad=True)
    _, z = backend.step(backend.initial_state(batch), angles)
    x, y, z = z.double().split(n, 1)
    (gradient,) = torch.autograd.grad((x + 0.5 * z).sum(), angles)
    for values, expected in ((x, math.sin(ANGLE)), (y, 0.0), (z, math.cos(ANGLE))):
        assert float((values.detach() - expected).abs().max()) <= 1e-6
    assert float((gradient.double() - (math.cos(ANGLE) - 0.5 * math.sin(ANGLE))).abs().max()) <= 1e-6


@pytest.mark.parametrize(("n", "batch"), SIZES)
def test_pauli_strings_and_overlaps(n: int, batch: int) -> None:
    """<XZ> of two qubits of a product state is sin a cos a; |<a|b>|^2 of angles d apart is cos(d / 2)^(2 n)."""
    backend = create_backend("statevector", rotations(n))
    start, angles = backend.initial_state(batch), torch.full((batch, n), ANGLE)
    state, _ = backend.step(start, angles)
    other, _ = backend.step(start, angles + 0.25)
    value = backend.expectation(state, "XZ" + "I" * (n - 2))
    assert float((value.double() - math.sin(ANGLE) * math.cos(ANGLE)).abs().max()) <= 1e-6
    assert float((backend.fidelity(state, other).double() - math.cos(0.125) ** (2 * n)).abs().max()) <= 2e-6
    again = backend.from_dense(3 * backend.to_dense(state))
    assert float((squared_norm(again.amplitudes) - 1).abs().max()) <= 1e-6


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
