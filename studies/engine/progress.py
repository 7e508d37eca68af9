"""How far a study is: a bar with the time left on a terminal, one line per job in a log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from statistics import fmean

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from studies.engine.execute import Execution, Outcome
from studies.engine.job import MISSING, Job


def follow(execution: Execution, jobs: Sequence[Job], console: Console) -> None:
    """Carry out the jobs and say how it goes."""
    if not jobs:
        return
    time_left = TimeLeft(execution.jobs)
    with _progress(console) as progress:
        bar = progress.add_task("jobs", total=len(jobs), left=duration(time_left.seconds(jobs)))
        pending = {job.name: job for job in jobs}
        # Closed at once on an interrupt: nothing may be written any more when the report is.
        with closing(execution.outcomes(jobs)) as outcomes:
            for outcome in outcomes:
                del pending[outcome.job.name]
                time_left.record(outcome)
                remaining = duration(time_left.seconds(list(pending.values())))
                progress.update(bar, advance=1, left=remaining)
                line = _line(outcome, len(jobs) - len(pending), len(jobs), remaining)
                progress.console.print(line, highlight=False, markup=False)


class TimeLeft:
    """An estimate from the jobs that are done: those of the same kind, else what was expected, corrected by them."""

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._done: list[Outcome] = []

    def record(self, outcome: Outcome) -> None:
        """Take a finished job into account."""
        if outcome.status != MISSING:
            self._done.append(outcome)

    def seconds(self, left: Sequence[Job]) -> float | None:
        """Return the seconds until these jobs are done, counting those under way as whole; None if nothing is known."""
        expected = [self._expected(job) for job in left]
        known = [seconds for seconds in expected if seconds is not None]
        return sum(known) / self._at_a_time if len(known) == len(expected) else None

    def _expected(self, job: Job) -> float | None:
        for kind in job.kinds:
            alike = [done.seconds for done in self._done if kind in done.job.kinds]
            if alike:
                return fmean(alike)
        priced = [(done.seconds, done.job.expected_seconds) for done in self._done if done.job.expected_seconds]
        if job.expected_seconds is None:
            return fmean([done.seconds for done in self._done]) if self._done else None
        correction = sum(took for took, _ in priced) / sum(price or 0 for _, price in priced) if priced else 1.0
        return job.expected_seconds * correction


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


def _progress(console: Console) -> Progress:
    """A bar on a terminal; in a log file the lines say enough."""
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _line(outcome: Outcome, number: int, total: int, remaining: str) -> str:
    failure = outcome.failure
    ended = f"{failure.status.upper().replace('_', ' ')}: {failure.error}" if failure else outcome.status
    if outcome.status == MISSING:
        ended = "stopped"
    return f"{number}/{total}  {outcome.job.label or outcome.job.name}  {outcome.seconds:.1f} s  {ended}  ({remaining})"
