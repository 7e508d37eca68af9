"""What every task shares: its cell can be replaced, weights do not know the backend, metrics survive a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from backends.errors import InvalidInput
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.tasks.images.digits import DigitsClassifier
from lightning_modules.tasks.split_metrics import SplitMetrics
from tests.lightning_modules.small_runs import Fit, only_run

SMALL_MODEL = {"input_size": 3, "output_size": 4, "sequence_length": 5, "n_qubits": 3, "controller_width": 4}


class Recurrent(nn.LSTM):
    """A classical cell in the form that a task expects."""

    output_size = 6

    def forward(  # type: ignore[override]
        self, x: Tensor, state: object = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, object]:
        return super().forward(x)


class ClassicalClassifier(DigitsClassifier):
    def build_cell(self) -> nn.Module:
        return Recurrent(self.hparams["input_size"], 6, batch_first=True)


def test_another_cell_needs_one_override() -> None:
    task = ClassicalClassifier(**SMALL_MODEL)
    assert task(torch.rand(2, 5, 3)).shape == (2, 4)
    loss = task._step((torch.rand(2, 5, 3), torch.tensor([0, 3])), "train")
    loss.backward()
    assert all(parameter.grad is not None for parameter in task.parameters())
    assert "truncation_error" not in task._metrics("train").compute()
    # An LSTM of 6 units on 3 inputs: 4 gates with 6 * (3 + 6) weights and 2 * 6 biases; a head of 4 * (6 + 1).
    assert task.parameter_counts() == {"embedding": 0, "cell": 264, "head": 28, "total": 292}


def test_sizes_from_numpy_are_saved_as_numbers_that_a_checkpoint_may_hold(tmp_path: Path) -> None:
    sizes = {name: np.int64(value) for name, value in SMALL_MODEL.items()}
    task = DigitsClassifier(**sizes, max_bond=np.int32(2), backend="mps")
    torch.save(dict(task.hparams), tmp_path / "saved.ckpt")
    saved = torch.load(tmp_path / "saved.ckpt", weights_only=True)
    assert saved == {**DigitsClassifier(**SMALL_MODEL).hparams, "max_bond": 2, "backend": "mps"}
    assert task(torch.rand(2, 5, 3)).shape == (2, 4)


def test_weights_do_not_depend_on_the_backend() -> None:
    shapes = [
        {name: weight.shape for name, weight in DigitsClassifier(**SMALL_MODEL, backend=backend).state_dict().items()}
        for backend in ("statevector", "mps")
    ]
    assert shapes[0] == shapes[1]


def test_truncation_error_is_reported_by_mean_and_maximum() -> None:
    task = DigitsClassifier(**SMALL_MODEL, backend="mps", max_bond=1, angle_scale=1.0)
    x, y = torch.rand(7, 5, 3), torch.zeros(7, dtype=torch.long)
    task._step((x, y), "val")
    metrics = task._metrics("val").compute()
    expected = task.cell(x)[1].truncation_error
    assert expected.max() > 0  # a product state cannot hold what the entangler makes
    torch.testing.assert_close(metrics["truncation_error"], expected.mean().to(metrics["truncation_error"].dtype))
    torch.testing.assert_close(metrics["truncation_error_max"], expected.max().to(metrics["truncation_error"].dtype))


def test_a_truncation_error_beyond_its_budget_warns_once_or_stops(caplog: pytest.LogCaptureFixture) -> None:
    batch = torch.rand(7, 5, 3), torch.zeros(7, dtype=torch.long)
    settings = {**SMALL_MODEL, "backend": "mps", "max_bond": 1, "angle_scale": 1.0}
    worst = float(DigitsClassifier(**settings).cell(batch[0])[1].truncation_error.max())
    assert worst > 1e-3
    DigitsClassifier(**settings, truncation_budget=100.0, over_budget="stop")._step(batch, "val")
    with pytest.raises(TrainingStopped, match=r"above model.truncation_budget 1e-09; raise model.max_bond \(now 1\)"):
        DigitsClassifier(**settings, truncation_budget=1e-9, over_budget="stop")._step(batch, "train")
    task = DigitsClassifier(**settings, truncation_budget=1e-9)
    for _ in range(2):
        task._step(batch, "train")
    assert [record.getMessage().count("truncation_budget 1e-09") for record in caplog.records] == [1]
    for wrong in ({"truncation_budget": 0.0}, {"over_budget": "stopp"}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            DigitsClassifier(**SMALL_MODEL, **wrong)


def test_auto_says_what_it_chose(fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--model.backend", "auto", "--model.max_bond", "1", "--trainer.max_epochs", "1") == 0
    assert "backend: statevector: it is exact and takes about" in capsys.readouterr().out
    assert DigitsClassifier(**SMALL_MODEL).backend_choices() == []


@pytest.fixture
def metrics() -> SplitMetrics:
    return SplitMetrics(MetricCollection({"accuracy": MulticlassAccuracy(3, average="micro")}))


def test_a_small_last_batch_weighs_by_its_samples(metrics: SplitMetrics) -> None:
    for loss, samples in ((1.0, 3), (5.0, 1)):
        labels = torch.zeros(samples, dtype=torch.long)
        metrics.record(torch.tensor(loss), None, None, labels, labels, samples=samples)
    assert metrics.compute() == {"loss": 2.0, "accuracy": 1.0}


def test_half_an_epoch_of_metrics_can_be_taken_up_again(metrics: SplitMetrics) -> None:
    resumed = SplitMetrics(metrics.scores)
    batches = [(torch.tensor([0, 1, 2]), torch.tensor([0, 2, 2])), (torch.tensor([1]), torch.tensor([0]))]
    for number, (found, expected) in enumerate(batches):
        metrics.record(torch.tensor(float(number)), torch.rand(3), None, found, expected, samples=len(found))
        if number == 0:
            resumed.restore(metrics.accumulated())
        else:
            resumed.record(torch.tensor(1.0), torch.zeros(3), None, found, expected, samples=1)
    assert resumed.compute()["loss"] == metrics.compute()["loss"] == 0.25
    assert resumed.compute()["accuracy"] == metrics.compute()["accuracy"] == 0.5


def test_the_cell_may_learn_at_another_rate_than_the_head(fit: Fit, tmp_path: Path) -> None:
    assert fit("--model.learning_rate", "0.02", "--model.cell_rate", "0.25", "--trainer.max_epochs", "1") == 0
    checkpoint = torch.load(only_run(tmp_path / "runs") / "checkpoints" / "last.ckpt", weights_only=True)
    cell, others = checkpoint["optimizer_states"][0]["param_groups"]
    assert (cell["max_lr"], others["max_lr"]) == (0.005, 0.02)
    names = [name for name in checkpoint["state_dict"] if not name.startswith("split_metrics")]
    assert len(cell["params"]) == len([name for name in names if name.startswith("cell.")])
    assert len(others["params"]) == len([name for name in names if name.startswith("head.")])
