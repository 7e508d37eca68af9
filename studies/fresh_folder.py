"""Where results go: a new measurement gets a folder of its own, and what was measured before is never overwritten."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from lightning_modules.runs.run_directory import RunDirectory, require_writable


def fresh_folder(folder: Path, table: str) -> Path:
    """Return `folder`, or the first of `folder`-2, `folder`-3, ... that has no `table`; says so where it is another.

    Creates nothing.

    Raises:
        InvalidInput: It could not be written.
    """
    # Of "." the whole path, which has a name to put the number behind.
    named = folder if folder.name not in ("", "..") else folder.resolve()
    numbered = (Path(f"{named}-{number}") for number in count(2))
    free = next(place for place in chain([folder], numbered) if not (place / table).exists())
    require_writable(free, "--out")
    if free != folder:
        print(f"{folder} holds a {table} already, which is kept; this one goes to {free}")
    return free


def beside(checkpoint: Path) -> Path:
    """Return the folder of the run that a checkpoint belongs to; of one that lies alone, the folder that it lies in."""
    run = RunDirectory(checkpoint.resolve().parent.parent, "")
    within = checkpoint.resolve().parent == run.last.parent and run.config.is_file()
    return checkpoint.parent.parent if within else checkpoint.parent
