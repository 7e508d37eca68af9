"""Backpropagation through more than a hundred timesteps of the MPS: finite, and exact where the bond suffices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from backends import Circuit
from tests.backends.cases import Setting, ansatz_circuit, gradient, largest, random_angles, relative_error
from tests.tolerances import GRADIENT, discarded_tolerance, readout_tolerance

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
