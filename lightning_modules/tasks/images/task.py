"""A classifier of sequences that images are read as."""

from __future__ import annotations

from typing import cast

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from lightning_modules.tasks.task import SequenceTask


class ImageClassifier(SequenceTask):
    """Classify a sequence from the readouts after its last timestep."""

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the accuracy over all samples."""
        return MetricCollection({"accuracy": MulticlassAccuracy(classes, average="micro")})

    def read(self, z: Tensor) -> Tensor:
        """Return logits (batch, classes) from the last of the readouts (batch, time, output_size)."""
        return cast(Tensor, self.head(z[:, -1]))
