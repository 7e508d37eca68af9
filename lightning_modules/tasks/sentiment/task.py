"""Sentiment: is a sentence positive?"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from lightning_modules.tasks.text_task import TextTask


class SentimentClassifier(TextTask):
    """Classify a text from the readouts after its last token."""

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the accuracy over all texts."""
        return MetricCollection({"accuracy": MulticlassAccuracy(classes, average="micro")})

    def readouts(self, z: Tensor, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the readouts (batch, output_size) after the last token of every text."""
        if lengths is None:
            return z[:, -1]
        return z[torch.arange(len(z), device=z.device), lengths - 1]

    def read(self, z: Tensor) -> Tensor:
        """Return logits (batch, 2) from readouts (batch, output_size)."""
        return cast(Tensor, self.head(z))
