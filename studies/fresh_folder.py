"""What was measured is never overwritten: a new measurement gets a folder of its own."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from lightning_modules.run_directory import require_writable


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
