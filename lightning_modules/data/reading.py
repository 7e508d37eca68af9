"""What a process has read already: a study that prices its cells, or tests what it trained, reads a data set once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

R = TypeVar("R")


def read_once(read: Callable[..., R]) -> Callable[..., R]:
    """Keep what `read` returned last, for the next call with the same settings; nobody may change it.

    `read` is a function of plain settings, the first of which may name a folder; one whose files were changed is read
    again. A refusal is not kept.
    """

    @lru_cache(maxsize=1)
    def kept(files: tuple[Any, ...], *settings: Any) -> R:
        return read(*settings)

    @wraps(read)
    def reading(source: str, *settings: Any) -> R:
        return kept(_files(source), source, *settings)

    return reading


def _files(source: str) -> tuple[Any, ...]:
    """Return name, size and time of every file of a folder; nothing for what is no folder."""
    if not Path(source).is_dir():
        return ()
    stats = {path: path.stat() for path in sorted(Path(source).resolve().rglob("*")) if path.is_file()}
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats.items())
