"""What stands on a command line before any setting is parsed: the command, the configurations, the task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput, nearest

SHIPPED = Path(__file__).parents[1] / "configs"
COMMANDS = {
    "fit": "Train, test, and write the result; resumes a run that was interrupted.",
    "validate": "Evaluate a checkpoint on the validation set.",
    "test": "Evaluate a checkpoint on the test set.",
}
GROUPS = ("model", "data", "trainer")
FLAGS = ("-c", "--config")
HELP = {"-h", "--help"}


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


def resolve_names(arguments: Sequence[str]) -> list[str]:
    """Return command line arguments in which every configuration is given by its path."""
    resolved = list(arguments)
    for position, name, inline in _mentions(arguments):
        path = str(find_config(name))
        resolved[position] = f"--config={path}" if inline else path
    return resolved


def configurations(resolved: Sequence[str]) -> list[Path]:
    """Return the files of the configurations on a command line, in order; see `resolve_names`."""
    return [Path(path) for _, path, _ in _mentions(resolved)]


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """Return the last value that a command line gives to a flag; None if it gives none."""
    values = [value for _, value, _ in _mentions(arguments, (flag,))]
    return values[-1] if values else None


def find_task(arguments: Sequence[str]) -> object:
    """Return what the command line gives as the task, by --task or in its last configuration; None if by neither."""
    task: object = None
    for path in configurations(arguments):
        task = read_config(path).get("task", task)
    given = value_of("--task", arguments)
    return task if given is None else given


def _mentions(arguments: Sequence[str], flags: Sequence[str] = FLAGS) -> Iterator[tuple[int, str, bool]]:
    """Yield (position, value, whether written as flag=value) of every value given to `flags`."""
    for position, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in flags and equals:
            yield position, value, True
        elif argument in flags and position + 1 < len(arguments):
            yield position + 1, arguments[position + 1], False
