"""Runs for other programs: train one by the same settings as the command line, or take up a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from backends.errors import InvalidInput, require_choice
from lightning_modules.cli.command_line import HELP, configurations, find_task, resolve_names, shipped_names, value_of
from lightning_modules.cli.errors import RunDone
from lightning_modules.cli.no_effect import without_leftovers
from lightning_modules.cli.task_cli import TaskCLI
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.checkpoints import read_checkpoint, taking_up
from lightning_modules.runs.progress import quiet_lightning
from lightning_modules.runs.run_directory import RunDirectory
from lightning_modules.tasks.registry import TASKS, Task
from lightning_modules.tasks.task import SequenceTask


def run_command(command: str, arguments: Sequence[str]) -> RunDirectory:
    """Carry out "fit", "validate" or "test" with command line arguments, and return the run's directory.

    Raises:
        InvalidInput: The settings are refused, or name no task.
        TrainingStopped: The training could not go on.
    """
    with config_of_checkpoint(command, arguments) as config, quiet_lightning():
        name, resolved = _task_of(command, [*config, *arguments])
        try:
            return TaskCLI(name, [command, *resolved]).run
        except RunDone as done:
            return done.run


@contextmanager
def config_of_checkpoint(command: str, arguments: Sequence[str]) -> Iterator[list[str]]:
    """Yield the arguments that name the configuration in a checkpoint, where a command line names a checkpoint alone.

    Raises:
        InvalidInput: The checkpoint cannot be read.
    """
    checkpoint = value_of("--checkpoint", arguments)
    if checkpoint is None or command == "fit" or configurations(arguments) or value_of("--task", arguments):
        yield []
        return
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(TrainedRun.of(Path(checkpoint)).settings()))
        yield ["--config", str(config)]


@dataclass(frozen=True)
class DescribedRun:
    """A run that was asked for: its directory, and its arguments with every configuration as a path."""

    directory: RunDirectory
    arguments: tuple[str, ...]


def describe_run(arguments: Sequence[str]) -> DescribedRun:
    """Return what `run_command("fit", arguments)` would be; reads no data, needs no device, makes nothing.

    Raises:
        InvalidInput: The settings are refused, or name no task.
    """
    name, resolved = _task_of("fit", arguments)
    paths = [str(Path(argument).resolve()) if Path(argument).is_file() else argument for argument in resolved]
    with quiet_lightning():
        try:
            _Description(name, ["fit", *paths])
        except _Described as described:
            return DescribedRun(described.run, tuple(paths))
    raise AssertionError("a description ends before anything is built")


@dataclass(frozen=True)
class PreparedRun:
    """A run that was not carried out: its directory, the untrained model, its data. Nothing has been written."""

    directory: RunDirectory
    task: Task
    model: SequenceTask
    data: SequenceData


def prepare_run(arguments: Sequence[str]) -> PreparedRun:
    """Return what `run_command("fit", arguments)` would train, done or not; refuses what it would refuse.

    Raises:
        InvalidInput: The settings are refused, or name no task.
    """
    name, resolved = _task_of("fit", arguments)
    with quiet_lightning():
        prepared = _Preparation(name, ["fit", *resolved])
    return PreparedRun(prepared.run, TASKS[name], prepared.model, prepared.datamodule)


class _Described(Exception):
    """The settings were accepted; `run` is their directory."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__(str(run.path))
        self.run = run


class _Description(TaskCLI):
    """The command line up to the point where model and data would be built."""

    def skip_done(self) -> None:
        """Describe a finished run like any other."""

    def before_instantiate_classes(self) -> None:
        """Stop here."""
        super().before_instantiate_classes()
        raise _Described(self.run)


class _Preparation(TaskCLI):
    """The command line up to the point where training would start."""

    def skip_done(self) -> None:
        """Prepare a finished run like any other."""

    def fit(self, model: SequenceTask, datamodule: SequenceData) -> None:
        """Refuse what does not fit the memory."""
        model.require_memory(datamodule.batch_size)


def _task_of(command: str, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the task's name, and the arguments with every configuration as a path."""
    resolved = resolve_names(arguments)
    task = find_task(resolved)
    if task is None and not HELP & set(resolved):
        raise InvalidInput(
            f"tnqrnn {command}: no task is given; use --config with one of {', '.join(shipped_names())}, or with a "
            "file that has a line like 'task: digits'."
        )
    # Help without a configuration shows the settings of the first task; most are common to all.
    name = next(iter(TASKS)) if task is None else require_choice("tnqrnn", "task", task, TASKS)
    return name, resolved


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
