"""The metrics of one split (train, val or test), accumulated over an epoch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torchmetrics import MaxMetric, MeanMetric, Metric, MetricCollection

from lightning_modules.runs.processes import connected, gathered


class SplitMetrics(nn.Module):
    """Loss, scores and truncation error of one split.

    The loss is averaged over samples, not over batches, so that a smaller last batch weighs less. The truncation error
    is that of the final state of every sequence: its mean and its largest value over the samples of the epoch. With a
    target error, `max_bond_binds` is the mean number of truncations of a sequence that missed it. Of several processes,
    each records its samples; what is computed is of all.
    """

    def __init__(self, scores: MetricCollection) -> None:
        super().__init__()
        self.scores = scores.clone()
        self.loss = MeanMetric()
        self.truncation_mean = MeanMetric()
        self.truncation_max = MaxMetric()
        self.binds = MeanMetric()

    def record(
        self, loss: Tensor, truncation_error: Tensor | None, binds: Tensor | None, *score_inputs: Tensor, samples: int
    ) -> None:
        """Add one batch: its mean loss (), truncation errors and binds (batch,) if any, and what the scores compare."""
        self.loss.update(loss.detach(), samples)
        self.scores.update(*score_inputs)
        if truncation_error is not None:
            self.truncation_mean.update(truncation_error.detach())
            self.truncation_max.update(truncation_error.detach())
        if binds is not None:
            self.binds.update(binds)

    def compute(self) -> dict[str, Tensor]:
        """Return every metric of the epoch by name."""
        values = {"loss": self.loss.compute(), **self.scores.compute()}
        if any(gathered(self.truncation_mean.update_called)):  # a process may have had no sample at all
            values["truncation_error"] = self.truncation_mean.compute()
            values["truncation_error_max"] = self.truncation_max.compute()
        if any(gathered(self.binds.update_called)):
            values["max_bond_binds"] = self.binds.compute()
        return values

    def names(self, *, truncates: bool, binds: bool) -> list[str]:
        """Return the names that `compute` gives its metrics, of states that truncate, and that `max_bond` may bind."""
        errors = ["truncation_error", "truncation_error_max"] if truncates else []
        return ["loss", *map(str, self.scores.keys()), *errors, *(["max_bond_binds"] if binds else [])]

    def reset(self) -> None:
        """Forget the epoch."""
        for metric in self._metrics().values():
            metric.reset()

    def accumulated(self) -> dict[str, dict[str, Any]]:
        """Return what was accumulated so far in this process, for a checkpoint in the middle of an epoch."""
        return {name: _state(metric) for name, metric in self._metrics().items()}

    def accumulated_by_all(self) -> dict[str, dict[str, Any]]:
        """Return the same of all processes together; each must call it."""
        accumulated = {}
        for name, metric in self._metrics().items():
            with metric.sync_context(should_sync=connected(), should_unsync=connected()):
                accumulated[name] = _state(metric)
        return accumulated

    def restore(self, accumulated: dict[str, dict[str, Any]]) -> None:
        """Continue from what `accumulated` returned."""
        for name, metric in self._metrics().items():
            for key, value in accumulated.get(name, {}).items():
                setattr(metric, key, value)

    def _metrics(self) -> dict[str, Metric]:
        return {name: module for name, module in self.named_modules() if isinstance(module, Metric)}


def _state(metric: Metric) -> dict[str, Any]:
    """Return what is in a metric, and how often it was updated: restored at the end of an epoch, it may compute."""
    return {**deepcopy(metric.metric_state), "_update_count": metric.update_count}
