"""Commands for other programs: carry one out, say which run it would be, or prepare it, by the same settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from backends.errors import InvalidInput, require_choice
from lightning_modules.cli.command_line import HELP, configurations, find_task, resolve_names, shipped_names, value_of
from lightning_modules.cli.task_cli import TaskCLI
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.checkpoints import read_checkpoint
from lightning_modules.runs.errors import RunDone
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
        config.write_text(read_checkpoint(Path(checkpoint))["tnqrnn"]["config"])
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
