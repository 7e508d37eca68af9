"""Lightning's Trainer, used in Python with our tasks and data: every one of its entries works."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_modules.runs.progress import quiet_lightning
from lightning_modules.tasks.images.digits import DigitsData
from lightning_modules.tasks.images.task import ImageClassifier
from lightning_modules.tasks.registry import TASKS
from tests.lightning_modules.tasks.test_every_cell import SMALL_DATA

QUIET: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
QUIET |= {"enable_model_summary": False, "accelerator": "cpu", "max_epochs": 2}
Seen = list[tuple[int, list[int]]]


class Labels(Callback):
    """Writes down epoch and labels of every training batch."""

    def __init__(self) -> None:
        self.seen: Seen = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.seen.append((trainer.current_epoch, batch[1].tolist()))


def digits() -> tuple[ImageClassifier, DigitsData]:
    return ImageClassifier(input_size=8, output_size=10, n_qubits=2, controller_width=4), DigitsData(batch_size=8)


@pytest.mark.parametrize("task", sorted(TASKS.keys() - {"mnist"}))  # as digits, from the hub
def test_predict_returns_what_the_task_computes(task: str) -> None:
    data: Any = TASKS[task].data(batch_size=3, **SMALL_DATA.get(task, {}))
    sizes = {name: getattr(data, name) for name in ("input_size", "output_size", "sequence_length")}
    model = TASKS[task].model(**sizes, n_qubits=2, controller_width=4)
    with quiet_lightning():
        predictions: Any = Trainer(**QUIET, limit_predict_batches=2).predict(model, datamodule=data)
    batches = iter(data.test_dataloader())
    assert len(predictions) == 2
    first = next(batches)[0]
    with torch.no_grad():
        assert torch.equal(predictions[0], model.eval()(first))


@pytest.mark.parametrize("fast", [True, 3])
def test_fast_dev_run(fast: bool | int) -> None:
    model, data = digits()
    trainer = Trainer(**QUIET, fast_dev_run=fast)
    with quiet_lightning():
        trainer.fit(model, datamodule=data)
    assert trainer.global_step == int(fast)


def test_overfitting_sees_the_same_batches_in_every_epoch() -> None:
    labels, (model, data) = Labels(), digits()
    with quiet_lightning():
        Trainer(**QUIET, overfit_batches=2, callbacks=[labels]).fit(model, datamodule=data)
    assert [epoch for epoch, _ in labels.seen] == [0, 0, 1, 1]
    assert labels.seen[0][1] == labels.seen[2][1]
    assert labels.seen[1][1] == labels.seen[3][1]
    assert labels.seen[0][1] != labels.seen[1][1]


@pytest.mark.parametrize("further", [{}, {"reload_dataloaders_every_n_epochs": 1}, {"val_check_interval": 1}])
def test_every_epoch_has_its_own_order(further: dict[str, Any]) -> None:
    labels, (model, data) = Labels(), digits()
    limits = {"limit_train_batches": 2, "limit_val_batches": 1, "callbacks": [labels]}
    with quiet_lightning():
        Trainer(**QUIET, **limits, **further).fit(model, datamodule=data)
    batches, targets = data.train_dataloader().batches, data.splits["train"].labels
    expected = [
        (epoch, targets[batches.samples(epoch)[i * 8 : i * 8 + 8]].tolist()) for epoch in (0, 1) for i in (0, 1)
    ]
    assert labels.seen == expected


@pytest.mark.parametrize("limit", [2, 0.1])
def test_validate_and_test_read_as_many_batches_as_asked(limit: float) -> None:
    model, data = digits()
    with quiet_lightning():
        trainer = Trainer(**QUIET, limit_val_batches=limit, limit_test_batches=limit)
        assert trainer.validate(model, datamodule=data, verbose=False)[0].keys() == {"val_loss", "val_accuracy"}
        assert trainer.test(model, datamodule=data, verbose=False)[0].keys() == {"test_loss", "test_accuracy"}
