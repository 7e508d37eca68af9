"""Why a run stopped, or did not start."""

from __future__ import annotations

import errno

# What a file system says when it does not take a file: full, over quota, too large, read-only, not ours, broken.
STORAGE = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "ESTALE")}


class TrainingStopped(RuntimeError):
    """Training cannot go on, though it could start: the loss, or what leads to it, is no longer a number.

    The message is one sentence for the user; the command line prints it and ends with exit code 1. Of several processes
    that stop for one reason (`everywhere`), the first says it for all.
    """

    def __init__(self, message: str, everywhere: bool = False) -> None:
        super().__init__(message)
        self.everywhere = everywhere


def storage_failed(error: OSError) -> TrainingStopped:
    """Return what to tell the user when a file could not be written or read."""
    where = f" ({error.filename})" if error.filename else ""
    return TrainingStopped(
        f"stopped: a file could not be written or read{where}: {error.strerror}. What was saved before is whole; make "
        "room, or set the permissions, and give the same command again."
    )
