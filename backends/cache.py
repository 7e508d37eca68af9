"""What processes keep on disk for each other: where, and how one of them makes it while the others wait."""

from __future__ import annotations

import fcntl
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """Return the folder of everything cached: `TNQRNN_CACHE` if set, else the user's cache folder."""
    root = os.environ.get("TNQRNN_CACHE")
    return Path(root) if root else Path(platformdirs.user_cache_dir("tnqrnn"))


def can_be_written(folder: Path) -> bool:
    """Return whether files can be made in a folder, which is made first if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def keep(file: Path, contents: bytes) -> None:
    """Write a file of the cache, whole or not at all. A cache that cannot be written is no reason to fail."""
    part = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(contents)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Wait until no other process that shares the cache is in the block of this name, then enter it.

    Where the folder cannot be written, or its file system knows no locks, nobody waits.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            file = cache_root() / f"{name}.lock"
            file.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(file.open("w")), fcntl.LOCK_EX)
        yield
