"""Single precision stays single precision at any size: no sum over amplitudes and no timestep adds up roundings.

RY(0.9) on every qubit of |0...0> leaves X = sin 0.9, Y = 0 and Z = cos 0.9 on each of them, and every readout depends
on the angle of its own qubit alone: dX/da = cos 0.9, dZ/da = -sin 0.9.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from backends import Backend, Circuit, create_backend
from tests.backends.cases import Setting, largest
from tests.tolerances import EPS

ANGLE = float(torch.tensor(0.9))  # as single precision has it
SIN, COS = math.sin(ANGLE), math.cos(ANGLE)
ENGINES = (
    Setting("statevector", {"engine": "kernel"}),
    Setting("statevector", {"engine": "contraction"}),
    Setting("statevector", {"gradient": "reversible"}),
)
SIZES = (12, 16, pytest.param(20, marks=pytest.mark.slow), pytest.param(22, marks=pytest.mark.slow))
# Whatever the number of qubits. It was 9e-3 at 22 of them.
TOLERANCE = 1e-6


def layer(n_qubits: int) -> Circuit:
    circuit = Circuit(n_qubits)
    for qubit in range(n_qubits):
        circuit.ry(qubit)
    return circuit


def one_step(setting: Setting, n_qubits: int) -> tuple[Backend[Any], Any, Tensor, Tensor]:
    """Backend, state, readouts and the angles, a leaf."""
    backend = setting.create(layer(n_qubits), torch.complex64)
    angles = torch.full((1, n_qubits), ANGLE, requires_grad=True)
    state, z = backend.step(backend.initial_state(1), angles)
    return backend, state, z, angles


@pytest.mark.parametrize("setting", ENGINES, ids=str)
@pytest.mark.parametrize("n_qubits", SIZES)
def test_readouts_and_gradients(setting: Setting, n_qubits: int) -> None:
    backend, state, z, angles = one_step(setting, n_qubits)
    expected = torch.tensor([SIN, 0.0, COS], dtype=torch.float64).repeat_interleave(n_qubits)
    assert largest(z[0].double() - expected) <= TOLERANCE
    assert largest(backend.readout(state)[0].double() - expected) <= TOLERANCE
    # By contractions, the gradient is rounded by the norm of the cotangent, which is the sum of the weights.
    of_sum = n_qubits * EPS[torch.complex64] if "contraction" in str(setting) else TOLERANCE
    either_sign, all_alike = torch.linspace(-1, 1, n_qubits), torch.ones(n_qubits)
    for pauli, slope in ((0, COS), (2, -SIN)):
        for weights, allowed in ((either_sign, TOLERANCE), (all_alike, of_sum)):
            loss = (weights * z[0, pauli * n_qubits : (pauli + 1) * n_qubits]).sum()
            (found,) = torch.autograd.grad(loss, angles, retain_graph=True)
            assert largest(found[0].double() - slope * weights.double()) <= allowed


@pytest.mark.parametrize("setting", ENGINES[:2], ids=str)
@pytest.mark.parametrize("n_qubits", SIZES)
def test_pauli_strings_overlaps_and_norms(setting: Setting, n_qubits: int) -> None:
    backend, state, _, angles = one_step(setting, n_qubits)
    strings = ["X" + "I" * (n_qubits - 1), "I" * (n_qubits - 2) + "ZX", "Z" + "I" * (n_qubits - 2) + "Z"]
    values = backend.expectation(state, strings)
    expected = torch.tensor([SIN, COS * SIN, COS**2], dtype=torch.float64)
    assert largest(values[0].double() - expected) <= TOLERANCE
    (found,) = torch.autograd.grad(values[0, 0], angles, retain_graph=True)
    assert float((found[0, 0] - COS).abs()) <= TOLERANCE
    assert largest(found[0, 1:]) <= TOLERANCE
    # Each RY may be off by one rounding of its cosine, and so may each factor of the overlap cos(0.45)**n.
    overlap = backend.fidelity(state, backend.initial_state(1)).double()
    exact = math.cos(ANGLE / 2) ** (2 * n_qubits)
    assert largest(overlap / exact - 1) <= 2 * n_qubits * EPS[torch.complex64]
    assert largest(backend.fidelity(state, state) - 1) <= TOLERANCE
    again = backend.to_dense(backend.from_dense(3 * backend.to_dense(state).detach()))
    assert largest(torch.linalg.vector_norm(again.to(torch.complex128), dim=1) - 1) <= TOLERANCE


@pytest.mark.parametrize("n_qubits", [10, pytest.param(14, marks=pytest.mark.slow)])
def test_entropies(n_qubits: int) -> None:
    """Pairs cos(0.45)|00> + sin(0.45)|11>: the entropy of one of them at the cuts inside a pair, none between."""
    circuit = Circuit(n_qubits)
    for qubit in range(0, n_qubits, 2):
        circuit.ry(qubit).cx(qubit, qubit + 1)
    backend = create_backend("statevector", circuit)
    state, _ = backend.step(backend.initial_state(1), torch.full((1, n_qubits // 2), ANGLE))
    p = math.cos(ANGLE / 2) ** 2
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    expected = torch.tensor([entropy if cut % 2 == 0 else 0.0 for cut in range(n_qubits - 1)], dtype=torch.float64)
    assert largest(backend.entanglement_entropy(state)[0].double() - expected) <= TOLERANCE
