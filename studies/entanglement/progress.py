"""Entanglement while a model is trained: a callback that looks at the state after every epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_modules.data.loaders import SequenceData
from lightning_modules.tasks.task import SequenceTask
from studies.entanglement.observe import observe
from studies.evaluation import first_sequences


class EntropyByEpoch(Callback):
    """Append a line to `path` before training and after every epoch: entropies in nats, and the validation metrics.

    Measured on the first `samples` test sequences: `middle`, at the middle cut, mean over sequences and timesteps;
    `largest`, the largest over cuts and timesteps, mean over sequences. A line is written at once, so a run that is
    killed and resumed repeats at most an epoch; the last line of an epoch counts (`read_epochs`).
    """

    def __init__(self, path: str, samples: int = 32) -> None:
        self.path, self.samples = Path(path), samples

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the untrained model; not at one that is taken up again."""
        if trainer.global_step == 0:
            self._record(trainer, pl_module, 0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the model after an epoch; it has been validated."""
        self._record(trainer, pl_module, trainer.current_epoch + 1)

    def _record(self, trainer: Trainer, model: Any, epoch: int) -> None:
        assert isinstance(model, SequenceTask)
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, SequenceData)
        entropy = observe(model, first_sequences(data, self.samples)[0]).entropy
        middle = entropy.shape[2] // 2
        line = {
            "epoch": epoch,
            "middle": float(entropy[:, :, middle].nanmean()),
            "largest": float(entropy.nan_to_num(0).amax((1, 2)).mean()),
        }
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val_")}
        with self.path.open("a") as file:
            file.write(json.dumps({**line, **(metrics if epoch else {})}) + "\n")


def read_epochs(path: Path) -> list[dict[str, float]]:
    """Return the lines of an `EntropyByEpoch`, one per epoch, in order; a half-written one is left out."""
    by_epoch: dict[float, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        try:
            content = json.loads(line)
        except ValueError:  # the process was killed while it wrote
            continue
        by_epoch[content["epoch"]] = content
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]
