"""How far a study is: a bar with the time left on a terminal, one line per job in a log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from studies.engine.execute import Execution
from studies.engine.job import MISSING, Job

# A bar on a terminal; in a log file the lines say enough.
_COLUMNS = (
    SpinnerColumn(),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TextColumn("{task.fields[left]}"),
)


def follow(execution: Execution, jobs: Sequence[Job], console: Console) -> None:
    """Carry out the jobs and say how it goes."""
    if not jobs:
        return
    started, whole, pending = time.monotonic(), _weight(jobs), {job.name: job for job in jobs}
    priced = all(job.expected_seconds is not None for job in jobs)
    left = duration(whole / execution.jobs if priced else None)
    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("jobs", total=len(jobs), left=left)
        # Closed at once on an interrupt: nothing may be written any more when the report is.
        with closing(execution.settled(jobs)) as settled:
            for job in settled:
                del pending[job.name]
                rest = _weight(pending.values())
                left = duration((time.monotonic() - started) * rest / (whole - rest))
                progress.update(bar, advance=1, left=left)
                line = _line(job, len(jobs) - len(pending), len(jobs), left)
                progress.console.print(line, highlight=False, markup=False)


def duration(seconds: float | None) -> str:
    """Return "35 s left", "4 min left" or "3 h left"."""
    return "time left unknown" if seconds is None else f"{readable(seconds)} left"


def readable(seconds: float) -> str:
    """Return "35 s", "4 min", "3.1 h", "2.5 days" or "over a year"."""
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    for unit, length, most in (("min", 60, 120), ("h", 3600, 48), ("days", 86400, 365)):
        if seconds / length < most:
            return f"{seconds / length:.0f} {unit}" if unit == "min" else f"{seconds / length:.1f} {unit}"
    return "over a year"


def _weight(jobs: Iterable[Job]) -> float:
    """Return how much work jobs are: the seconds expected of them, or their number where nothing is."""
    return sum(job.expected_seconds or 1.0 for job in jobs)


def _line(job: Job, number: int, total: int, left: str) -> str:
    failure = job.read_failure()
    ended = f"{failure.status.upper().replace('_', ' ')}: {failure.error}" if failure else job.status
    if job.status == MISSING:
        ended = "stopped"
    return f"{number}/{total}  {job.label or job.name}  {job.seconds():.1f} s  {ended}  ({left})"
