"""Files of checkpoints: each written at once, with its sha256 beside it, and read only if it is still what was written.

    last.ckpt          the checkpoint
    last.ckpt.sha256   as `sha256sum -c last.ckpt.sha256` reads it

The old digest goes before the new checkpoint comes: a kill in between leaves one without, not one that looks damaged. A
checkpoint without a digest (of an older version, copied alone) is read as it is.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from backends.errors import InvalidInput
from lightning_modules.runs.run_directory import write_atomically, write_partial


class CheckpointFiles(TorchCheckpointIO):
    """The way of a `Trainer` to the files of its checkpoints, those of a user's `ModelCheckpoint` included."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint and its digest. Raises OSError, and leaves what was there, if it cannot."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        _write(Path(path), content.getvalue())

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[[Any, Any], Any] | None = lambda storage, _: storage,
        weights_only: bool | None = True,
    ) -> Any:
        """Return what `save_checkpoint` wrote. Raises InvalidInput if the file is damaged."""
        return torch.load(io.BytesIO(read_intact(Path(path))), map_location, weights_only=weights_only)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint and its digest."""
        super().remove_checkpoint(path)
        digest_of(Path(path)).unlink(missing_ok=True)


def digest_of(path: Path) -> Path:
    """Return where the digest of a checkpoint is; of a link, beside what it points to."""
    path = path.resolve()
    return path.with_name(f"{path.name}.sha256")


def read_intact(path: Path) -> bytes:
    """Return the bytes of a checkpoint.

    Raises:
        InvalidInput: They are not those that were written, by the digest beside them.
    """
    while True:
        expected, content = _recorded(path), path.read_bytes()
        if expected in (None, sha256(content).hexdigest()):
            return content
        if _recorded(path) == expected:  # else the run that writes it went on in between
            raise InvalidInput(
                f"checkpoint: {path} is damaged: its sha256 is not the one in {digest_of(path).name}; restore both "
                "from a copy, or delete both (without last.ckpt a run starts afresh; a copy of best.ckpt in its place "
                "lets it go on from the best epoch)."
            )


def _write(path: Path, content: bytes) -> None:
    partial = write_partial(path, content)
    digest_of(path).unlink(missing_ok=True)
    os.replace(partial, path)
    write_atomically(digest_of(path), f"{sha256(content).hexdigest()}  {path.name}\n")


def _recorded(path: Path) -> str | None:
    """Return the digest that was written; None if there is none."""
    try:
        found = re.match(r"[0-9a-f]{64}\b", digest_of(path).read_text())
    except (OSError, UnicodeDecodeError):
        return None
    return found[0] if found else None
