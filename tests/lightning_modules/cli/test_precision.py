"""Runs in half, mixed and double precision: they train, and say what they cannot do in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules.cli.cli import main
from lightning_modules.tasks.images.digits import DigitsClassifier
from lightning_modules.tasks.registry import TASKS
from tests.lightning_modules.small_runs import Fit, only_run, weights
from tests.lightning_modules.tasks.test_every_cell import TINY, task_and_data  # noqa: F401 (a fixture)
from tests.lightning_modules.tasks.test_translation_task import SMALL as SMALL_TRANSLATION
from tnqrnn.cells import CELLS

DTYPES = {
    "64-true": torch.float64,
    "bf16-true": torch.bfloat16,
    "16-true": torch.float16,
    "bf16-mixed": torch.float32,  # of the weights
}


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns_every_task(task_and_data: tuple[str, Any], cell: str) -> None:  # noqa: F811
    dtype, (name, data) = torch.bfloat16, task_and_data
    torch.manual_seed(0)
    links = {key: getattr(data, key) for key in ("input_size", "output_size", "sequence_length")}
    model = TASKS[name].model(**links, **TINY, cell=cell)
    exact = model.loss(next(iter(data.train_dataloader())))[0]
    model.to(dtype)
    inputs, targets = next(iter(data.train_dataloader()))
    loss, outputs, _ = model.loss((inputs.to(dtype) if inputs.is_floating_point() else inputs, targets))
    loss.backward()
    assert outputs.dtype == dtype
    assert loss.dtype == torch.float32
    # Every logit is rounded a few times; a loss beyond that of guessing says how large they are.
    tolerance = 8 * torch.finfo(dtype).eps
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=tolerance, abs=tolerance)
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("cell", ["qrnn", "orthogonal", "lstm"])
def test_a_run_trains_in_it(cell: str, precision: str, fit: Fit, tmp_path: Path) -> None:
    losses = []
    for name in ("32-true", precision):
        assert fit("--model.cell", cell, "--model.dropout", "0", "--trainer.precision", name, runs=name) == 0
        losses.append(json.loads((only_run(tmp_path / name) / "result.json").read_text())["metrics"]["test_loss"])
    run = only_run(tmp_path / precision)
    # Ten steps of Adam, whose small gradients may go another way in half precision.
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    found = weights(run / "checkpoints" / "last.ckpt")["head.weight"]
    assert found.dtype == DTYPES[precision]
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
@pytest.mark.parametrize("cell", ["qrnn", "gru"])
def test_a_translation_is_learnt_and_decoded_in_it(cell: str, precision: str, tmp_path: Path) -> None:
    arguments = ["--model.cell", cell, "--trainer.precision", precision, "--model.beam_size", "2"]
    assert main(["fit", *SMALL_TRANSLATION, *arguments, "--runs", str(tmp_path)]) == 0
    assert (only_run(tmp_path) / "translations.json").exists()


@pytest.mark.parametrize("gradient", [1e-4, 5e-3, 1.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_no_step_is_larger_than_the_learning_rate(dtype: torch.dtype, gradient: float) -> None:
    """Adam's first step is the learning rate whatever the gradient, unless the square it divides by is lost."""
    model = DigitsClassifier(8, 10, n_qubits=2).to(dtype)
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=dtype))
    optimiser = torch.optim.Adam([parameter], lr=0.25, eps=model.adam_epsilon)
    parameter.grad = torch.full_like(parameter, gradient)
    optimiser.step()
    moved = -float(parameter.detach())
    assert moved <= 0.25 * (1 + 4 * torch.finfo(dtype).eps)
    assert moved > (0 if dtype == torch.float16 else 0.22)


def test_what_is_not_installed_is_one_sentence(fit: Fit, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert fit("--trainer.precision", "transformer-engine") == 2
    told = capsys.readouterr().err
    assert "transformer_engine" in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
