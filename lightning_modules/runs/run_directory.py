"""The directory of one run, named by what was asked for: `runs/<task>-<hash>-seed<seed>/`.

    config.yaml            every setting, resolved; `--config` accepts it again
    metrics.jsonl          one line per logged step, append-only
    checkpoints/last.ckpt  everything needed to go on; checkpoints/best.ckpt had the lowest validation loss
                           *.ckpt.sha256: the digest of each, checked when it is read
    env.json               versions, commit, device, threads, sha256 of the data
    result.json            written last and at once: if it is there, the run is done

The same settings always lead to the same directory, so asking again finds the result, or goes on with the run.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from backends.errors import InvalidInput
from tnqrnn.signals import unwinding

PACKAGES = ("tnqrnn", "torch", "pytorch-lightning", "torchmetrics", "jsonargparse", "numpy", "numba", "scikit-learn")
IN_A_RESULT = {"task", "seed", "config_hash", "metrics", "checkpoint"}
# Settings that say where and how a run is watched, not what it computes.
NOT_HASHED = ("config", "runs", "checkpoint_every", "seed", "checkpoint")
# How many processes share the work: the batches are the same, so they count as one process in the hash.
ONE_PROCESS = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
TRAINER_NOT_HASHED = ("enable_progress_bar", "log_every_n_steps", "profiler", "num_sanity_val_steps")


@dataclass(frozen=True)
class RunDirectory:
    """Where the files of one run are."""

    path: Path
    config_hash: str

    @classmethod
    def of(cls, root: Path, task: str, seed: int, settings: Mapping[str, Any]) -> RunDirectory:
        """Return the directory under `root` of the run that these settings describe; creates nothing."""
        digest = config_hash(settings)
        return cls(root / f"{task}-{digest}-seed{seed}", digest)

    def with_seed(self, seed: int) -> RunDirectory:
        """Return the directory of the same settings with another seed."""
        stem, _, _ = self.path.name.rpartition("-seed")
        return RunDirectory(self.path.with_name(f"{stem}-seed{seed}"), self.config_hash)

    @property
    def config(self) -> Path:
        """The resolved settings."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The log of all metrics."""
        return self.path / "metrics.jsonl"

    @property
    def env(self) -> Path:
        """What the run was computed with."""
        return self.path / "env.json"

    @property
    def result(self) -> Path:
        """The result; exists once the run is done."""
        return self.path / "result.json"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest validation loss."""
        return self.path / "checkpoints" / "best.ckpt"

    def is_done(self) -> bool:
        """Return whether the result is there, and whole: a file that is empty or of something else does not count."""
        try:
            content = json.loads(self.result.read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(content, dict) and content.keys() >= IN_A_RESULT and isinstance(content["metrics"], dict)

    def best_or_last(self) -> Path:
        """Return the checkpoint to test: the best, or the last where nothing was validated."""
        return self.best if self.best.exists() else self.last


def config_hash(settings: Mapping[str, Any]) -> str:
    """Return eight hexadecimal digits that depend on every setting that can change the result.

    A setting that is null counts as absent, so that a new optional one does not rename old runs.
    """
    relevant = {key: value for key, value in settings.items() if key not in NOT_HASHED}
    trainer = dict(relevant.get("trainer") or {})
    trainer |= {key: value for key, value in ONE_PROCESS.items() if key in trainer}
    relevant["trainer"] = {key: value for key, value in trainer.items() if key not in TRAINER_NOT_HASHED}
    return sha256(json.dumps(_without_null(relevant), sort_keys=True).encode()).hexdigest()[:8]


@contextmanager
def alone_in(folder: Path, who: str, remedy: str) -> Iterator[None]:
    """Refuse a folder in which another process is at work: two must not write into one run.

    The lock goes with the process, however it ends; a signal unwinds what is done inside. Makes the folder. On a file
    system without locks nobody is kept out, and that is said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # the second is some network file systems' word for it
            raise InvalidInput(f"{who}: another process is at work in {folder}; wait for it, or {remedy}.") from error
        except OSError as error:
            logging.getLogger("tnqrnn").warning(
                "%s: the file system of %s has no locks (%s), so nothing keeps a second process out", who, folder, error
            )
        try:
            with unwinding():
                yield
        finally:
            Path(file.name).unlink(missing_ok=True)


def require_writable(folder: Path, flag: str) -> None:
    """Refuse a folder that could not be written, by writing a file where it is or would be, and removing it."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            folder.stat()  # complains of names that no file system takes
        with tempfile.TemporaryFile(dir=existing(folder)):
            pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"{flag}: cannot write into {str(folder)!r} ({why}); choose another folder.") from error


def existing(folder: Path) -> Path:
    """Return `folder`, or the nearest above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


@contextmanager
def leaves_nothing(folder: Path) -> Iterator[None]:
    """Remove a folder that was made inside, and empty ones above it, if the request is refused after all."""
    above = existing(folder)
    try:
        yield
    except InvalidInput:
        if above != folder:
            shutil.rmtree(folder, ignore_errors=True)
            for made in folder.parents:
                if made == above or any(made.iterdir()):  # another run's
                    break
                made.rmdir()
        raise


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file that is either wholly there or not there, also after a kill or on a full disk."""
    os.replace(write_partial(path, content), path)


def write_partial(path: Path, content: str | bytes) -> Path:
    """Write the whole of what is to replace `path` beside it, and return where; nothing is left if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        partial.unlink(missing_ok=True)  # a full disk needs the room
        raise OSError(error.errno, error.strerror, str(path)) from error  # a failed write does not name the file
    return partial


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def environment(device: str, data_sha256: str) -> dict[str, Any]:
    """Return what a result depends on besides its settings."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "device": device,
        "threads": torch.get_num_threads(),
        "data_sha256": data_sha256,
    }


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the sources, with "-dirty" if they were changed; None outside a git checkout."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    tracked = ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name]
    try:
        # An installed copy may lie inside somebody else's repository: its commit says nothing about us.
        subprocess.run(tracked, capture_output=True, check=True, timeout=10)
        return subprocess.run(command, capture_output=True, check=True, text=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
