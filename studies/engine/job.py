"""One piece of work: carried out in a process of its own, done when its result is there, recorded when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput
from backends.memory import format_bytes
from lightning_modules.runs.run_directory import alone_in, write_json

DONE, FAILED, OVER_BUDGET, MISSING = "done", "failed", "over_budget", "missing"


class OverBudgetError(Exception):
    """Raised by a measurement that finds out itself that it does not fit: recorded as over budget, not as failed."""


@dataclass(frozen=True)
class Limits:
    """What one piece of work may take: seconds of wall-clock time, bytes of resident memory. None: no limit."""

    seconds: float | None = None
    bytes: int | None = None

    def exceeded_by(self, seconds: float, resident: int) -> str | None:
        """Say which limit work has passed after so many seconds with so many resident bytes; None where none."""
        if self.seconds is not None and seconds > self.seconds:
            return f"stopped after {seconds:.0f} s; the limit is {self.seconds:g} s (limits.seconds)."
        if self.bytes is not None and resident > self.bytes:
            limit = format_bytes(self.bytes)
            return f"stopped with {format_bytes(resident)} resident; the limit is {limit} (limits.memory_gib)."
        return None


@dataclass(frozen=True)
class Failure:
    """Why there is no result: `status` failed or over_budget, the sentence, the limits that applied."""

    status: str
    error: str
    limits: Limits = Limits()

    def stands_under(self, limits: Limits) -> bool:
        """Return whether trying again under these limits could not end otherwise: over budget, and none was raised."""
        pairs = ((self.limits.seconds, limits.seconds), (self.limits.bytes, limits.bytes))
        raised = any(old is not None and (new is None or new > old) for old, new in pairs)
        return self.status == OVER_BUDGET and not raised


@dataclass(frozen=True)
class Job:
    """`target(*arguments)`, to be carried out once.

    `result` exists once it is done, `failure` says why it is not. `claim` is a folder that one process at a time holds
    for this work. `target` must be importable; everything must be picklable.
    """

    name: str
    target: Callable[..., None]
    arguments: tuple[Any, ...]
    claim: Path
    result: Path
    failure: Path
    log: Path
    limits: Limits = Limits()
    label: str = ""  # what people read; the name where it says enough
    expected_seconds: float | None = None
    expected_bytes: int | None = None

    def is_done(self) -> bool:
        """Return whether the result is there."""
        return self.result.exists()

    def is_settled(self) -> bool:
        """Return whether it is done or was given up."""
        return self.is_done() or self.failure.exists()

    @property
    def status(self) -> str:
        """done, failed, over_budget, or missing where it was left undone."""
        failure = self.read_failure()
        return DONE if self.is_done() else failure.status if failure else MISSING

    @property
    def began(self) -> Path:
        """A file that was written when the last attempt began."""
        return self.claim / ".began"

    def seconds(self) -> float:
        """Return the seconds that the last attempt took, by the times of its files; 0 if it never began."""
        try:
            ended = self.result if self.is_done() else self.failure
            return max(0.0, ended.stat().st_mtime - self.began.stat().st_mtime)
        except OSError:
            return 0.0

    def read_failure(self) -> Failure | None:
        """Return why there is no result; None if there is one, or nothing was recorded."""
        return None if self.is_done() else read_failure(self.failure)

    def fail(self, status: str, error: str) -> None:
        """Record why there is no result."""
        limits = {"seconds": self.limits.seconds, "bytes": self.limits.bytes}
        write_json(self.failure, {"status": status, "error": " ".join(error.split()), "limits": limits})


def read_failure(path: Path) -> Failure | None:
    """Return a recorded failure; None if there is none, or if its file cannot be read: then it is tried again."""
    try:
        content = json.loads(path.read_text())
        return Failure(content["status"], content["error"], Limits(**content["limits"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def claimed(job: Job) -> Iterator[bool]:
    """Hold a job; gives false where another process has it, or it is settled already."""
    with ExitStack() as held:
        try:
            held.enter_context(alone_in(job.claim, "study", "let it end"))
            free = not job.is_settled()  # not before the lock: the last holder may just have settled it
        except InvalidInput:
            free = False
        if free:
            job.began.touch()
        yield free
