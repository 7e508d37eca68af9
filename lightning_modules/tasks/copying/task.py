"""The copying memory task: remember ten symbols over a long delay (`data` draws the sequences).

A model without memory does best by predicting blanks, then guessing: its mean loss over all delay + 20 steps is
10 ln 8 / (delay + 20) nats. The loss is reported as a ratio to that; accuracy over the last ten steps only, since
blanks alone would score (delay + 10) / (delay + 20). Definition and baseline as in github.com/lezcano/expRNN.
"""

from __future__ import annotations

import math
from typing import cast

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from lightning_modules.tasks.copying.data import RECALLED, SYMBOLS
from lightning_modules.tasks.task import SequenceTask


def memoryless_loss(sequence_length: int) -> float:
    """Return the mean cross entropy, in nats, of the best model without memory over delay + 20 steps."""
    return RECALLED * math.log(SYMBOLS) / sequence_length


class CopyingMemory(SequenceTask):
    """Classify every timestep; report the loss against the memoryless baseline, and recall."""

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the accuracy over the steps at which symbols are recalled."""
        return MetricCollection({"recall": MulticlassAccuracy(classes, average="micro")})

    def read(self, z: Tensor) -> Tensor:
        """Return logits (batch, time, classes) from the readouts (batch, time, output_size)."""
        return cast(Tensor, self.head(z))

    def scored(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last ten steps, flattened."""
        return outputs[:, -RECALLED:].flatten(0, 1), targets[:, -RECALLED:].flatten()

    def derived(self, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss as a multiple of the memoryless loss: 1 without memory, 0 when solved."""
        return {"loss_ratio": metrics["loss"] / memoryless_loss(self.hparams["sequence_length"])}
