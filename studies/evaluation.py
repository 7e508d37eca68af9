"""A trained model on test data: its metric, and the sequences on which it is looked at."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from backends.errors import InvalidInput
from lightning_modules.data.loaders import Batch, SequenceData
from lightning_modules.runs.progress import quiet_lightning
from lightning_modules.tasks.task import SequenceTask
from tnqrnn import QRNN, QRNNCell


def first_sequences(data: SequenceData, samples: int) -> Batch:
    """Return inputs and targets of the first test sequences, or of all of them if there are fewer."""
    dataset = data.dataset("test")
    return dataset[list(range(min(samples, len(dataset))))]


def evaluated(model: SequenceTask, data: SequenceData, headline: str) -> tuple[float, float]:
    """Return metric and loss on the whole test set."""
    with quiet_lightning():
        trainer = Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        [metrics] = trainer.test(model, datamodule=data, verbose=False)
    return metrics[f"test_{headline}"], metrics["test_loss"]


def require_qrnn(who: str, model: SequenceTask) -> QRNNCell:
    """Return the cell of a model that is one QRNN over a sequence.

    Raises:
        InvalidInput: It has another cell, or more than one, as a translator has.
    """
    if isinstance(model.cell, QRNN):
        return model.cell.cell
    name = model.hparams["cell"]
    if name != "qrnn":
        raise InvalidInput(
            f"{who}: the run has a cell {name!r}, which no backend holds exactly and truncated; choose a run with "
            "the cell qrnn."
        )
    raise InvalidInput(
        f"{who}: a {type(model).__name__} is not one QRNN over a sequence, which is what is compared; test its "
        "checkpoint with --model.backend mps --model.max_bond instead."
    )


@torch.no_grad()
def features(model: SequenceTask, batch_inputs: Tensor) -> tuple[Tensor, Any]:
    """Return what the cell reads, x (batch, time, features), and lengths (batch,) where sequences end early."""
    x, lengths = model.inputs(batch_inputs)
    return x.detach(), lengths
