"""Backpropagation through more than a hundred timesteps of the MPS: finite, and exact where the bond suffices."""

from __future__ import annotations

import cmath
from typing import Any

import pytest
import torch
from torch import Tensor

from backends import Circuit
from tests.backends.cases import (
    Setting,
    ansatz_circuit,
    gradient,
    largest,
    random_angles,
    random_unitary,
    relative_error,
    run,
)
from tests.tolerances import EPS, GRADIENT, discarded_tolerance, readout_tolerance, state_tolerance

STEPS, BATCH, HUB = 101, 1, 3


def hub_circuit() -> Circuit:
    """Eight qubits of which the fourth is only ever a control: the bonds never need more than 4.

    For each of its two values, the qubits on its left and those on its right evolve by themselves. So the rank is at
    most 2 at the cuts beside it, and 4 at the cut after the fifth qubit. With `max_bond` 4 there are sites of 3, 1, 1
    and 3 qubits and bonds whose ranks are 2, 2 and 4: noise is kept beside noise that is discarded, at every timestep.
    """
    circuit = Circuit(8)
    for qubit in (0, 1, 2, 4, 5, 6, 7):
        circuit.ry(qubit).rz(qubit)
    circuit.crx(0, 1).cry(1, 2).crx(HUB, 2).rz(HUB).crx(HUB, 4).crx(4, 5).rxx(5, 6).cry(6, 7)
    return circuit


def trained(setting: Setting, dtype: torch.dtype, angles: Tensor) -> tuple[Any, Tensor, Tensor]:
    """Final state, readouts, and the gradient of their random weighted sum from the hub's state |0> + |1>."""
    start = setting.create(Circuit(8).h(HUB), dtype)
    backend = setting.create(hub_circuit(), dtype)
    leaf = angles.to(backend.real_dtype).requires_grad_()
    state, _ = start.step(start.initial_state(BATCH), leaf.new_zeros(BATCH, 0))
    readouts = []
    for step in leaf:
        state, z = backend.step(state, step)
        readouts.append(z)
    z = torch.stack(readouts)
    weights = torch.randn(z.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return state, z.detach(), gradient((weights * z).sum(), leaf)


SMALL_TOO = [pytest.param(0.1, marks=pytest.mark.slow), 3.0]


@pytest.mark.parametrize("scale", SMALL_TOO)
def test_exact_where_the_bond_suffices(scale: float, dtype: torch.dtype) -> None:
    angles = random_angles(hub_circuit(), STEPS, BATCH, scale=scale)
    _, expected, exact = trained(Setting("statevector"), torch.complex128, angles)
    state, z, found = trained(Setting("mps", {"max_bond": 4}), dtype, angles)
    gates = STEPS * len(hub_circuit())
    assert largest(state.truncation_error) <= discarded_tolerance(dtype, gates)
    assert largest(z - expected) <= readout_tolerance(dtype, gates)
    assert relative_error(found, exact) <= GRADIENT[dtype]


def finite(circuit: Circuit, max_bond: int, dtype: torch.dtype, scale: float) -> None:
    """Exactly, a readout moves by at most 1 per radian; a map that throws much away every time may be far steeper."""
    backend = Setting("mps", {"max_bond": max_bond}).create(circuit, dtype)
    leaf = random_angles(circuit, STEPS, 1, scale=scale).to(backend.real_dtype).requires_grad_()
    state, z = backend.initial_state(1), torch.empty(0)
    for step in leaf:
        state, z = backend.step(state, step)
        assert torch.isfinite(z).all()
    assert largest(state.truncation_error) > 1e-2
    found = gradient(z.sum(), leaf)
    assert torch.isfinite(found).all()
    assert largest(found) > 0


@pytest.mark.parametrize(
    ("name", "max_bond", "single"), [("ring", 2, True), ("chain", 3, False), ("brickwork", 1, True)]
)
def test_finite_where_it_does_not(name: str, max_bond: int, single: bool) -> None:
    dtype = torch.complex64 if single else torch.complex128
    finite(ansatz_circuit(name, n_qubits=6), max_bond, dtype, scale=3.0)


@pytest.mark.slow
@pytest.mark.parametrize("max_bond", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_finite_for_every_topology(scale: float, max_bond: int, dtype: torch.dtype, topology: str) -> None:
    finite(ansatz_circuit(topology, n_qubits=6), max_bond, dtype, scale)


def test_engines_agree_on_matrices_that_were_not_quite_unitary() -> None:
    """Unitary to single precision when given; kept so, 200 steps would move the norm, and engines apart, by 1e-5."""
    circuit = Circuit(3)
    for qubit in range(3):
        circuit.ry(qubit).unitary(random_unitary(2, qubit).to(torch.complex64), qubit)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        circuit.unitary(random_unitary(4, 7 + first).to(torch.complex64), first, second)
    angles = random_angles(circuit, 200, BATCH)
    found = []
    for options in ({"engine": "kernel"}, {"engine": "contraction"}, {"gradient": "reversible"}):
        backend, leaf = Setting("statevector", options).create(circuit), angles.clone().requires_grad_()
        state, z = run(backend, leaf)
        norms = torch.linalg.vector_norm(backend.to_dense(state), dim=1)
        assert largest(norms - 1) <= state_tolerance(torch.complex128, 200 * len(circuit))
        found.append((z.detach(), gradient(z.sum() + z[-1].square().sum(), leaf)))
    for z, slope in found[1:]:
        assert largest(z - found[0][0]) <= readout_tolerance(torch.complex128, 200 * len(circuit))
        assert relative_error(slope, found[0][1]) <= GRADIENT[torch.complex128]


def test_the_nearest_unitary_is_taken() -> None:
    """Of diag(1 + e, (1 - e) exp(ia)) it is diag(1, exp(ia)); what is unitary stays as it is, to rounding."""
    e, phase = 4e-6, cmath.exp(0.3j)
    circuit = Circuit(2).unitary([[1 + e, 0], [0, (1 - e) * phase]], 0).unitary(random_unitary(4, 3), 0, 1)
    near, given = (gate.matrix for gate in circuit.gates)
    assert near is not None
    assert given is not None
    assert largest(near - torch.tensor([[1, 0], [0, phase]], dtype=torch.complex128)) <= 4 * EPS[torch.complex128]
    assert largest(given - random_unitary(4, 3)) <= 16 * EPS[torch.complex128]
