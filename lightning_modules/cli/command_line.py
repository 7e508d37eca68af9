"""What a command line names: the command, the configurations, the flags. Gone through once, here.

What the flags' values mean is for the parser of a task, which needs to know the task first: `task_cli`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput, nearest, require_choice

SHIPPED = Path(__file__).parents[1] / "configs"
COMMANDS = {
    "fit": "Train, test, and write the result; resumes a run that was interrupted.",
    "validate": "Evaluate a checkpoint on the validation set.",
    "test": "Evaluate a checkpoint on the test set.",
}
GROUPS = ("model", "data", "trainer")
CONFIG = ("-c", "--config")
HELP = ("-h", "--help")


@dataclass(frozen=True)
class CommandLine:
    """A command line as it was given, with every configuration read and named by its path."""

    command: str
    arguments: tuple[str, ...]  # what follows the command
    configurations: tuple[tuple[Path, dict[str, Any]], ...]  # in order: a later one overrides an earlier one
    flags: Mapping[str, str | None]  # the last value of each, None where nothing follows

    @classmethod
    def parse(cls, argv: Sequence[str]) -> CommandLine:
        """Take a command line apart, such as `["fit", "--config", "digits"]`.

        Raises:
            InvalidInput: The command is unknown, or a configuration is not there or cannot be read.
        """
        command = require_choice("tnqrnn", "command", argv[0] if argv else "", COMMANDS)
        arguments = list(argv[1:])
        configurations, flags = [], {}
        for place, argument in enumerate(arguments):
            flag, inline, value = argument.partition("=")
            given = value if inline else next(iter(arguments[place + 1 :]), None)
            flags[flag] = given
            if flag in CONFIG and given is not None:
                path = find_config(given)
                configurations.append((path, read_config(path)))
                arguments[place if inline else place + 1] = f"{flag}={path}" if inline else str(path)
        return cls(command, tuple(arguments), tuple(configurations), flags)

    @property
    def task(self) -> object:
        """What is given as the task, by --task or in the last configuration that names one; None if by neither."""
        task: object = None
        for _, settings in self.configurations:
            task = settings.get("task", task)
        given = self.flags.get("--task")
        return task if given is None else given

    @property
    def wants_help(self) -> bool:
        """Whether help is asked for."""
        return any(flag in self.flags for flag in HELP)

    def under(self, path: Path) -> CommandLine:
        """Return the same with a configuration before all others."""
        arguments = ("--config", str(path), *self.arguments)
        return replace(self, arguments=arguments, configurations=((path, read_config(path)), *self.configurations))


def shipped_names() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def find_config(name: str) -> Path:
    """Return the file of a shipped configuration, or of one given by path.

    Raises:
        InvalidInput: There is neither.
    """
    if name in shipped_names():
        return SHIPPED / f"{name}.yaml"
    if Path(name).is_file():
        return Path(name)
    raise InvalidInput(
        f"config: there is no configuration and no file {name!r}.{nearest(name, shipped_names())} "
        f"Shipped are: {', '.join(shipped_names())}."
    )


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings in a YAML file.

    Raises:
        InvalidInput: It is not YAML, or not a mapping.
    """
    import yaml  # of the extra `train`, which `tnqrnn --help` does without

    try:
        content = yaml.safe_load(path.read_text())
        json.dumps(content, default=str)  # raises where a part contains itself
    except OSError as error:
        raise InvalidInput(f"config: {path} cannot be read ({error.strerror}); name another.") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"config: {path} is not valid YAML{where}; expected lines like 'model: ...'.") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InvalidInput(f"config: {path} must hold settings by name, such as 'task: digits'.")
    for group in GROUPS:
        if group in content and not isinstance(content[group], dict):
            raise InvalidInput(
                f"config: {group} in {path} must hold settings by name, got {content[group]!r}; leave '{group}:' out "
                "where nothing is set."
            )
    return content
