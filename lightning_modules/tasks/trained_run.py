"""Taking up a trained run: the model and the data of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from backends.errors import require_choice
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.checkpoints import read_checkpoint, taking_up
from lightning_modules.tasks.no_effect import without_leftovers
from lightning_modules.tasks.registry import TASKS, Task
from lightning_modules.tasks.task import SequenceTask


@dataclass(frozen=True)
class TrainedRun:
    """A checkpoint, what made it, and everything needed to evaluate it."""

    checkpoint: Path
    contents: dict[str, Any]
    config: dict[str, Any]
    task: Task

    @classmethod
    def of(cls, checkpoint: Path) -> TrainedRun:
        """Read a checkpoint of ours; refuses anything else."""
        contents = read_checkpoint(checkpoint)
        signature = contents["tnqrnn"]
        task = TASKS[require_choice("checkpoint", "task", signature["task"], TASKS)]
        return cls(checkpoint, contents, yaml.safe_load(signature["config"]), task)

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.config["task"])

    def settings(self) -> dict[str, Any]:
        """Return the configuration, without what an older version took along beside a cell that does not use it."""
        defaults = self.task.model.defaults()
        with taking_up(self.checkpoint):
            model = without_leftovers({**defaults, **self.config["model"]}, defaults)
        return {**self.config, "model": model}

    def data(self) -> SequenceData:
        """Return the data the run was trained on, with the permutation that the checkpoint holds."""
        with taking_up(self.checkpoint):
            data = self.task.data(**self.config["data"], seed=self.config["seed"])
            data.load_state_dict(self.contents[type(data).__qualname__])
        return data

    def model(self, **changes: Any) -> SequenceTask:
        """Return the trained model, in evaluation mode, with some settings changed (`backend="mps"`)."""
        # Another backend, say, leaves settings of the old one without effect.
        with taking_up(self.checkpoint):
            settings = without_leftovers({**self.contents["hyper_parameters"], **changes}, self.task.model.defaults())
            model = self.task.model(**settings)
            model.load_state_dict(self.contents["state_dict"])
        return model.eval()
