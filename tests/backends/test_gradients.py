"""Gradients of the map as it is carried out: against the oracle's, or, with truncation, against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from backends import Circuit
from tests import oracle
from tests.backends.cases import (
    COMPLETE,
    EXACT,
    N_QUBITS,
    SEVERAL_SITES,
    TRUNCATING,
    Setting,
    ansatz_circuit,
    directional_error,
    gradient,
    largest,
    random_angles,
    random_circuit,
    random_states,
    relative_error,
    run,
    run_oracle,
)
from tests.backends.conftest import Check
from tests.tolerances import DIFFERENCE, GRADIENT

STRING = "XYZIIZYX"


def weighted(z: Tensor) -> Tensor:
    weights = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(5000))
    return (weights * z).sum()


def loss_of_angles(setting: Setting, circuit: Circuit, batch: int) -> Callable[[Tensor], Tensor]:
    """Readouts of all timesteps, a Pauli string and a fidelity with a fixed state of the outgoing state."""
    backend = setting.create(circuit)
    target, _ = run(backend, random_angles(circuit, 1, batch, seed=9))

    def loss(angles: Tensor) -> Tensor:
        state, z = run(backend, angles)
        string = STRING[: circuit.n_qubits]
        return weighted(z) + backend.expectation(state, string).sum() + 10 * backend.fidelity(state, target).sum()

    return loss


def exact_loss(circuit: Circuit, angles: Tensor) -> Tensor:
    """The same of the oracle."""
    target, _ = run_oracle(circuit, random_angles(circuit, 1, angles.shape[1], seed=9))
    psi, z = run_oracle(circuit, angles)
    string = STRING[: circuit.n_qubits]
    return weighted(z) + oracle.expectation(psi, string).sum() + 10 * oracle.fidelity(psi, target).sum()


def compare(setting: Setting, circuit: Circuit, angles: Tensor, check: Check) -> None:
    loss = loss_of_angles(setting, circuit, angles.shape[1])
    leaf = angles.clone().requires_grad_()
    found = gradient(loss(leaf), leaf)
    if setting in COMPLETE:
        error = relative_error(found, gradient(exact_loss(circuit, leaf), leaf))
        check(setting, torch.complex128, "gradient", error, GRADIENT[torch.complex128])
    else:
        error = directional_error(loss, angles, found.reshape(angles.shape))
        check(setting, torch.complex128, "differences", error, DIFFERENCE)


@pytest.mark.parametrize("setting", [*COMPLETE, *SEVERAL_SITES, *TRUNCATING], ids=str)
@pytest.mark.parametrize("entangler", ["crx", "rxx"])
def test_ansatz(setting: Setting, topology: str, entangler: str, check: Check) -> None:
    circuit = ansatz_circuit(topology, entangler)
    # Moderate angles: far from where a kept and a discarded Schmidt value cross, where no map is differentiable.
    compare(setting, circuit, random_angles(circuit, 2, batch=2, scale=1.0), check)


@pytest.mark.parametrize("setting", [*COMPLETE, *TRUNCATING], ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_circuit(setting: Setting, seed: int, check: Check) -> None:
    circuit = random_circuit(N_QUBITS, 30, seed)
    compare(setting, circuit, random_angles(circuit, 2, batch=1, seed=seed, scale=1.0), check)


@pytest.mark.parametrize("max_bond", [1, 2, 3])
def test_with_a_cutoff(max_bond: int, topology: str, check: Check) -> None:
    setting = Setting("mps", {"max_bond": max_bond, "truncation_cutoff": 1e-3})
    circuit = ansatz_circuit(topology, n_qubits=6)
    compare(setting, circuit, random_angles(circuit, 2, batch=2, scale=1.0), check)


@pytest.mark.parametrize("setting", [*COMPLETE, *TRUNCATING], ids=str)
def test_a_dense_incoming_state(setting: Setting, topology: str, check: Check) -> None:
    """`from_dense` truncates on the way in; amplitudes and angles are differentiated at once."""
    circuit = ansatz_circuit(topology, "rxx")
    backend = setting.create(circuit)
    angles = random_angles(circuit, 1, batch=1).flatten()
    point = torch.cat([angles, torch.view_as_real(random_states(N_QUBITS, 1)).flatten() * 4])

    def loss(values: Tensor) -> Tensor:
        angles, amplitudes = values[: circuit.n_angles], values[circuit.n_angles :].reshape(1, -1, 2).clone()
        start = backend.from_dense(torch.view_as_complex(amplitudes))
        state, z = run(backend, angles.reshape(1, 1, -1), start)
        return weighted(z) + backend.expectation(state, STRING).sum() + weighted(backend.readout(start))

    def exact(values: Tensor) -> Tensor:
        angles, amplitudes = values[: circuit.n_angles], values[circuit.n_angles :].reshape(1, -1, 2)
        start = torch.view_as_complex(amplitudes.clone())
        psi, z = run_oracle(circuit, angles.reshape(1, 1, -1), start / start.norm())
        return weighted(z) + oracle.expectation(psi, STRING).sum() + weighted(oracle.readouts(start))

    leaf = point.clone().requires_grad_()
    found = gradient(loss(leaf), leaf)
    if setting in COMPLETE:
        error = relative_error(found, gradient(exact(leaf), leaf))
        check(setting, torch.complex128, "gradient", error, GRADIENT[torch.complex128])
    else:
        check(setting, torch.complex128, "differences", directional_error(loss, point, found), DIFFERENCE)


@pytest.mark.parametrize("max_bond", [1, 3])
@pytest.mark.parametrize("topology", ["chain", "ring"])
def test_gradcheck(max_bond: int | None, topology: str) -> None:
    """Every entry of the Jacobian, not only random directions."""
    circuit = ansatz_circuit(topology, n_qubits=4)
    backend = Setting("mps", {"max_bond": max_bond}).create(circuit)

    def outputs(angles: Tensor) -> tuple[Tensor, Tensor]:
        state, z = run(backend, angles)
        return z, backend.expectation(state, ["XYZI", "ZZXX"])

    angles = random_angles(circuit, 1, batch=1, scale=1.0).requires_grad_()
    assert torch.autograd.gradcheck(outputs, angles, eps=1e-6, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("setting", [EXACT[0], TRUNCATING[0], TRUNCATING[1]], ids=str)
@pytest.mark.parametrize("scale", [0.03, 3.0])
def test_many_timesteps(setting: Setting, dtype: torch.dtype, scale: float) -> None:
    """No NaN, and no gradient that has blown up where the state is well represented.

    Exactly, a readout moves by at most 1 per radian, whatever its timestep. A map that throws most of the state away
    at every step (scale 3) is truly as steep as its gradient says; there, only finiteness can be asked for.
    """
    circuit = ansatz_circuit("ring", n_qubits=6)
    backend = setting.create(circuit, dtype)
    leaf = random_angles(circuit, 50, batch=1, scale=scale).to(backend.real_dtype).requires_grad_()
    state, z = run(backend, leaf)
    found = gradient(z[-1].sum(), leaf)
    assert torch.isfinite(z).all()
    assert torch.isfinite(found).all()
    assert torch.isfinite(state.truncation_error).all()
    if scale < 1 or setting in EXACT:
        assert largest(found) <= 3 * circuit.n_qubits
