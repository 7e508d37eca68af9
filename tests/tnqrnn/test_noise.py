"""Readouts from finite shots: mean, variance, seeds, gradients, and that exact readouts stay as they were."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.backends.cases import largest
from tests.backends.test_refusals import refused
from tnqrnn import QRNN, Ansatz, ReadoutNoise
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.noise import KINDS

SAMPLES = 20_000
SHOTS = 50
EXPECTATIONS = torch.tensor([-1.0, -0.9, -0.3, 0.0, 0.5, 0.99, 1.0], dtype=torch.float64)


def drawn(**settings: Any) -> Tensor:
    noise = ReadoutNoise(**settings)
    return noise.measure(EXPECTATIONS.expand(SAMPLES, -1), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depolarising", [0.0, 0.2])
def test_mean_and_variance(kind: str, depolarising: float) -> None:
    z = (1 - depolarising) * EXPECTATIONS
    variance = (1 - z**2) / SHOTS
    estimates = drawn(shots=SHOTS, kind=kind, depolarising=depolarising)
    # Five standard errors, of a mean and of a variance; the kurtosis of a binomial adds (1 - 3 variance) / counts.
    assert ((estimates.mean(0) - z).abs() <= 5 * (variance / SAMPLES).sqrt() + 1e-12).all()
    fourth = 3 * variance**2 + (4 / SHOTS**3 if kind == "multinomial" else 0) * (1 - z**2)
    assert ((estimates.var(0) - variance).abs() <= 5 * (fourth / SAMPLES).sqrt() + 1e-12).all()


def test_readouts_are_drawn_by_themselves() -> None:
    correlations = torch.corrcoef(drawn(shots=SHOTS)[:, 1:-1].T)
    assert largest(correlations - torch.eye(5)) <= 5 / math.sqrt(SAMPLES)


def test_outcomes_are_counts_over_shots() -> None:
    ups = (drawn(shots=SHOTS, kind="multinomial") + 1) * SHOTS / 2
    assert largest(ups - ups.round()) <= 1e-9
    assert ups.min() == 0
    assert ups.max() == SHOTS


def test_depolarising_alone_draws_nothing() -> None:
    assert torch.equal(drawn(depolarising=0.25)[0], 0.75 * EXPECTATIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_expectation(kind: str) -> None:
    z = EXPECTATIONS.clone().requires_grad_()  # eigenstates included, where the deviation has no derivative
    ReadoutNoise(shots=3, kind=kind, depolarising=0.25).measure(z).sum().backward()
    assert torch.equal(z.grad, torch.full_like(z, 0.75))


# In a network.


def qrnn(backend: str = "statevector", **noise: Any) -> QRNN:
    torch.manual_seed(0)
    return QRNN(
        2, Ansatz(2), controller_width=3, angle_scale=1.0, backend=backend, noise=ReadoutNoise(**noise)
    )  # fmt: skip


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("backend", ["statevector", "mps"])
@pytest.mark.parametrize("kind", KINDS)
def test_evaluating_twice_gives_the_same(backend: str, kind: str, x: Tensor) -> None:
    model = qrnn(backend, shots=20, kind=kind).eval()
    before = torch.get_rng_state()
    first, _ = model(x)
    model(x + 1)
    again, _ = model(x)
    assert torch.equal(again, first)
    assert torch.equal(torch.get_rng_state(), before)  # so that validation does not disturb training
    assert not torch.equal(first, qrnn(backend).eval()(x)[0])
    assert not torch.equal(first, qrnn(backend, shots=20, kind=kind, seed=1).eval()(x)[0])


def test_another_batch_is_measured_by_itself(x: Tensor) -> None:
    """The noise of one batch is not that of the next."""
    model = qrnn(shots=20).eval()
    exact = qrnn().eval()
    nearly = x + 1e-6
    deviations = [model(batch)[0][:, 0] - exact(batch)[0][:, 0] for batch in (x, nearly)]
    assert largest(deviations[0] - deviations[1]) > 1e-2


def test_training_draws_from_the_global_generator(x: Tensor) -> None:
    model = qrnn(shots=20)
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(model(x)[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize(("acts_in", "training"), [("evaluation", False), ("training", True)])
def test_when_it_acts(acts_in: str, training: bool, x: Tensor) -> None:
    model, exact = qrnn(shots=20, acts_in=acts_in), qrnn()
    assert not torch.equal(model.train(training)(x)[0], exact(x)[0])
    assert torch.equal(model.train(not training)(x)[0], exact(x)[0])


def test_the_readouts_that_are_fed_back_are_noisy_too(x: Tensor) -> None:
    """The state of the first timestep knows no measurement, that of the second does."""
    model, exact = qrnn(depolarising=0.5), qrnn()
    first, second = (network(x[:, :1])[1] for network in (model, exact))
    assert torch.equal(first.amplitudes, second.amplitudes)
    first, second = (network(x[:, :2])[1] for network in (model, exact))
    assert largest(first.amplitudes - second.amplitudes) > 1e-3
    torch.testing.assert_close(model(x)[0][:, 0], 0.5 * exact(x)[0][:, 0])


@pytest.mark.parametrize("name", [name for name, family in CELLS.items() if "shots" in family.settings])
def test_noise_vanishes_with_many_shots(name: str, x: Tensor) -> None:
    deviations = []
    for shots in (None, 10**2, 10**8):
        torch.manual_seed(0)
        cell = create_cell(name, 2, n_qubits=2, shots=shots).eval()
        deviations.append(cell(x)[0])
    assert largest(deviations[1] - deviations[0]) > 1e-3
    # A standard error of 1e-4 in each readout, through four timesteps.
    assert largest(deviations[2] - deviations[0]) <= 5e-3


def test_padding_stays_zero(x: Tensor) -> None:
    z, _ = qrnn(shots=10)(x, lengths=torch.tensor([1, 4, 2]))
    assert largest(z[0, 1:]) == 0
    assert largest(z[2, 2:]) == 0


@pytest.mark.parametrize(
    ("settings", "mentions"),
    [
        ({"shots": 0}, ("shots", "0")),
        ({"shots": 10.0}, ("shots", "10.0")),
        ({"kind": "gauss"}, ("shot_noise", "Did you mean 'gaussian'?")),
        ({"depolarising": 1}, ("depolarising", "[0, 1)")),
        ({"depolarising": -0.1}, ("depolarising",)),
        ({"state_depolarising": 1.5}, ("state_depolarising", "[0, 1)")),
        ({"state_depolarising": math.nan}, ("state_depolarising",)),
        ({"acts_in": "eval"}, ("noise_in", "evaluation")),
        ({"seed": -1}, ("noise_seed", "-1")),
        ({"seed": 2**64}, ("noise_seed", str(2**64))),
        ({"seed": 0.5}, ("noise_seed", "0.5")),
    ],
)
def test_refusals(settings: dict[str, Any], mentions: tuple[str, ...]) -> None:
    refused(lambda: ReadoutNoise(**settings), "noise", *mentions)
    refused(lambda: QRNN(2, Ansatz(2), noise=100), "noise", "int")  # type: ignore[arg-type]
