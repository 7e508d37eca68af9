"""A register that depolarises at every timestep, against density matrices evolved by the channel itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.tasks.language_modelling.task import LanguageModel
from lightning_modules.tasks.translation.task import Translator
from tests import oracle
from tests.backends.cases import gate_tuples, largest
from tests.backends.test_refusals import refused
from tnqrnn import QRNN, Ansatz, ReadoutNoise
from tnqrnn.cells import create_cell

QUBITS, P, Q = 3, 0.3, 0.2
MIXED = torch.eye(2**QUBITS, dtype=torch.complex128) / 2**QUBITS


def qrnn(backend: str = "statevector", **noise: Any) -> QRNN:
    torch.manual_seed(0)
    return QRNN(
        2, Ansatz(QUBITS), controller_width=3, angle_scale=2.0, backend=backend, noise=ReadoutNoise(**noise)
    ).double()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def density_matrix_run(model: QRNN, x: Tensor, p: float, q: float) -> tuple[Tensor, Tensor]:
    """The same network on density matrices (batch, d, d): U rho U^dagger, then the channel, then Tr(P rho) fed back.

    q is what every qubit's own channel shrinks its Paulis by before it is read.
    """
    paulis = []
    for letter in "XYZ":
        for qubit in range(QUBITS):
            string = "I" * qubit + letter + "I" * (QUBITS - qubit - 1)
            matrix = torch.ones(1, 1, dtype=torch.complex128)
            for one in string:
                matrix = torch.kron(matrix, oracle.PAULI[one])
            paulis.append(matrix)
    rho = torch.zeros(len(x), *MIXED.shape, dtype=torch.complex128)
    rho[:, 0, 0] = 1
    z, readouts = torch.stack([(rho @ one).diagonal(dim1=1, dim2=2).sum(1).real for one in paulis], 1), []
    for t in range(x.shape[1]):
        angles = model.cell.angles(x[:, t], z)
        for sample in range(len(x)):
            u = oracle.unitary(gate_tuples(model.cell.circuit), QUBITS, angles[sample])
            rho[sample] = (1 - p) * u @ rho[sample].clone() @ u.mH + p * MIXED
        z = (1 - q) * torch.stack([(rho @ one).diagonal(dim1=1, dim2=2).sum(1).real for one in paulis], 1)
        readouts.append(z)
    return torch.stack(readouts, 1), rho


@pytest.mark.parametrize("backend", ["statevector", "mps"])
@pytest.mark.parametrize(("p", "q"), [(P, 0.0), (P, Q)])
@torch.no_grad()
def test_readouts_are_those_of_the_density_matrix(backend: str, p: float, q: float, x: Tensor) -> None:
    """With the feedback of what was read: the angles differ from those of the noiseless network."""
    model = qrnn(backend, state_depolarising=p, depolarising=q)
    found, state = model(x)
    expected, rho = density_matrix_run(model, x, p, q)
    assert largest(found - expected) <= 1e-12
    psi = model.backend.to_dense(state)
    left = (1 - p) ** x.shape[1]
    pure = psi[:, :, None] * psi[:, None, :].conj()
    assert largest(left * pure + (1 - left) * MIXED - rho) <= 1e-12
    # It matters to the state as well, and is not the noiseless network with smaller readouts.
    exact = qrnn(backend)(x)[0]
    shrunk = (1 - q) * (1 - p) ** torch.arange(1, x.shape[1] + 1)[:, None] * exact
    assert largest(found - shrunk) > 1e-2


def test_shots_see_what_is_left() -> None:
    """After t timesteps: mean (1 - p)^t z, variance (1 - mean^2) / shots."""
    z, samples, shots, t = torch.tensor([1.0, -0.8], dtype=torch.float64), 20_000, 20, 4
    noise = ReadoutNoise(shots=shots, kind="multinomial", state_depolarising=P)
    estimates = noise.measure(z.expand(samples, -1), t, torch.Generator().manual_seed(0))
    mean = (1 - P) ** t * z
    variance = (1 - mean**2) / shots
    assert ((estimates.mean(0) - mean).abs() <= 5 * (variance / samples).sqrt()).all()
    assert ((estimates.var(0) - variance).abs() <= 5 * variance * math.sqrt(3 / samples)).all()


def test_the_gradient_is_that_of_the_noisy_network(x: Tensor) -> None:
    model = qrnn(state_depolarising=P)
    weight = model.cell.controller.output.bias
    model(x)[0].square().sum().backward()
    found, step = weight.grad.clone(), 1e-6
    for k in (0, len(found) // 2, len(found) - 1):
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[k] += sign * step
                losses.append(float(model(x)[0].square().sum()))
                weight[k] -= sign * step
        assert float(found[k]) == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5, abs=1e-8)


@torch.no_grad()
def test_every_circuit_of_a_qlstm_begins_anew(x: Tensor) -> None:
    """One timestep of one circuit: the same as an error of the measurement, at every timestep alike."""
    found = []
    for noise in ({"state_depolarising": P}, {"depolarising": P}):
        torch.manual_seed(0)
        found.append(create_cell("qlstm", 2, n_qubits=2, **noise)(x.float())[0])
    assert torch.equal(found[0], found[1])


def test_a_state_of_unknown_age_is_refused(x: Tensor) -> None:
    model = qrnn(state_depolarising=P)
    _, state = model(x)
    refused(lambda: model(x, state), "QRNN", "state_depolarising", "depolarising")
    # Where the noise does not act, there is nothing to count.
    model = qrnn(state_depolarising=P, acts_in="training").eval()
    model(x, model(x)[1])


@pytest.mark.parametrize("task", [LanguageModel, Translator])
def test_a_task_that_goes_on_from_states_is_refused_before_it_begins(task: Any) -> None:
    settings = {"input_size": 9, "output_size": 9, "sequence_length": 4, "state_depolarising": P}
    refused(lambda: task(**settings), task.__name__, "state_depolarising")
    task(**settings, cell="qlstm", n_qubits=2)
