"""Small Schmidt values in double precision: which of them is kept, its direction, and the gradient that it carries.

RY(2t) and CX on two qubits give cos t |00> + sin t |11>. Two such pairs lie across the middle cut of four qubits, with
t = a and t = b < a: its Schmidt values are the products of (cos a, sin a) and (cos b, sin b). `max_bond` 2 keeps
cos a cos b and sin a cos b, so that what is left, normalised, is the same circuit with b = 0, to the last digit. The
weight lost is sin(b)^2, and no slope in b is left. Gates within the halves, before the bond is truncated, hide both
directions among all others.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from backends import Circuit
from tests.backends.cases import Loss, Setting, expect, gradient, largest, n_gates, random_angles, run
from tests.tolerances import state_tolerance

DTYPE = torch.complex128


def two_pairs() -> Circuit:
    circuit = Circuit(4).ry(1).ry(0).cx(1, 2).cx(0, 3)
    for qubit in range(4):
        circuit.u3(qubit)
    return circuit.crx(0, 1).crx(2, 3).u3(0).u3(1).u3(2).u3(3)


def angles_of(a: float, b: float, seed: int) -> Tensor:
    angles = random_angles(two_pairs(), 1, batch=3, seed=seed)
    angles[..., 0], angles[..., 1] = 2 * a, 2 * b
    return angles


@pytest.mark.parametrize("engine", ["kernel", "contraction"])
@pytest.mark.parametrize("a", [1e-4, 1e-5, 1e-6, 1e-7])
def test_the_larger_of_two_is_kept_with_its_gradient(a: float, engine: str) -> None:
    circuit, b = two_pairs(), a / 10
    backend = Setting("mps", {"max_bond": 2, "engine": engine}).create(circuit, DTYPE)
    loss, rounding = Loss.random(4, 1, batch=3), state_tolerance(DTYPE, n_gates(circuit))
    for seed in range(4):
        leaf = angles_of(a, b, seed).requires_grad_()
        state, z = run(backend, leaf)
        expected = expect(circuit, angles_of(a, 0.0, seed))
        dense = backend.to_dense(state)
        assert largest((dense - expected.amplitudes).norm(dim=1)) <= rounding
        assert largest(z - expected.readouts) <= 2 * rounding
        assert largest(state.truncation_error.sqrt() - math.sin(b)) <= rounding
        # Rounding turns a direction by its size over the distance to the next Schmidt value, a - b. The slope in a is
        # of order one, for the amplitude along that direction is sin a.
        found, exact = gradient(loss(dense, z), leaf).reshape(3, -1), expected.gradient.clone().reshape(3, -1)
        exact[:, 1] = 0
        assert largest(exact[:, 0]) > 0.1
        assert largest(found - exact) <= rounding / (a - b)
