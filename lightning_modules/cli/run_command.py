"""Commands for other programs: carry one out, say which run it would be, or prepare it, by the same settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from lightning_modules.cli.command_line import CommandLine
from lightning_modules.cli.task_cli import TaskCLI
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.progress import quiet_lightning
from lightning_modules.runs.run_directory import RunDirectory
from lightning_modules.tasks.registry import TASKS, Task
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.trained_run import TrainedRun


def run_command(command: str, arguments: Sequence[str]) -> RunDirectory:
    """Carry out "fit", "validate" or "test" with command line arguments, and return the run's directory.

    Raises:
        InvalidInput: The settings are refused, or name no task.
        TrainingStopped: The training could not go on.
    """
    return carry_out(CommandLine.parse([command, *arguments]))


def carry_out(line: CommandLine) -> RunDirectory:
    """Carry out a command line; see `run_command`."""
    with _with_settings_of_checkpoint(line) as line, quiet_lightning():
        cli = TaskCLI(line)
        if not cli.is_done():
            cli.build().carry_out()
        return cli.run


@contextmanager
def _with_settings_of_checkpoint(line: CommandLine) -> Iterator[CommandLine]:
    """Where a command line names a checkpoint and no configuration, add the one that is in the checkpoint.

    Raises:
        InvalidInput: The checkpoint cannot be read.
    """
    checkpoint = line.flags.get("--checkpoint")
    if checkpoint is None or line.command == "fit" or line.task is not None or line.configurations:
        yield line
        return
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(TrainedRun.of(Path(checkpoint)).settings()))
        yield line.under(config)


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
    line = CommandLine.parse(["fit", *arguments])
    paths = tuple(str(Path(word).resolve()) if Path(word).is_file() else word for word in line.arguments)
    with quiet_lightning():
        return DescribedRun(TaskCLI(replace(line, arguments=paths)).run, paths)


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
    with quiet_lightning():
        cli = TaskCLI(CommandLine.parse(["fit", *arguments])).build()
    cli.model.require_memory(cli.datamodule.batch_size)
    return PreparedRun(cli.run, TASKS[cli.task], cli.model, cli.datamodule)
