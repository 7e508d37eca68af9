"""Carrying out planned runs, several at a time, each in a process of its own; one that fails stops no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import fmean

from lightning_modules.run_directory import write_json
from studies.tasks.failures import failure_file, read_failure
from studies.tasks.plan import PlannedRun
from studies.tasks.worker import INTERRUPTED, carry_out, server


@dataclass(frozen=True)
class Outcome:
    """How one run ended: after how many seconds, and why it failed, if so."""

    run: PlannedRun
    seconds: float
    error: str | None


class Execution:
    """Runs under way. Logs go to `out`/logs, failures to `out`/failures."""

    def __init__(self, out: Path, jobs: int, threads: int = 1) -> None:
        self._out, self._jobs, self._threads = out, jobs, threads
        self._processes = server()
        self._active: set[BaseProcess] = set()
        self._stopping = False

    def outcomes(self, runs: Sequence[PlannedRun]) -> Generator[Outcome, None, None]:
        """Carry out `runs` in this order, some at a time, and yield every outcome as it comes."""
        (self._out / "logs").mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(self._jobs) as pool:
            waiting = [pool.submit(self._one, run) for run in runs]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            except BaseException:  # an interrupt: what is waiting must not start, what is under way can be resumed
                self._stop()
                raise

    def _stop(self) -> None:
        self._stopping = True
        for process in list(self._active):
            process.terminate()

    def _one(self, run: PlannedRun) -> Outcome:
        started = time.monotonic()
        if not self._stopping:
            self._carry_out(run)
        return Outcome(run, time.monotonic() - started, read_failure(self._out, run))

    def _carry_out(self, run: PlannedRun) -> None:
        failure, log = failure_file(self._out, run), self._out / "logs" / f"{run.name}.log"
        failure.unlink(missing_ok=True)  # what failed before is tried again
        process = self._processes.Process(target=carry_out, args=(run.arguments, log, failure, self._threads))
        process.start()
        self._active.add(process)
        process.join()
        self._active.discard(process)
        recorded = failure.exists() or run.directory.is_done()
        if not recorded and not self._stopping and process.exitcode != INTERRUPTED:
            write_json(failure, {"error": _how_it_ended(process.exitcode or 0, log)})


def _how_it_ended(exitcode: int, log: Path) -> str:
    if exitcode < 0:
        return f"its process was ended by signal {-exitcode} (9 is often a want of memory); see {log}."
    return f"its process ended with exit code {exitcode} and without a result; see {log}."


class TimeLeft:
    """An estimate from the runs that are done: those of the same cell and task, else of the same task, else of all."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._done: list[Outcome] = []

    def record(self, outcome: Outcome) -> None:
        """Take a finished run into account."""
        self._done.append(outcome)

    def seconds(self, left: Sequence[PlannedRun]) -> float | None:
        """Return the seconds until these runs are done, counting the ones under way as whole; None at the start."""
        if not self._done:
            return None
        return sum(self._expected(run) for run in left) / self._jobs

    def _expected(self, run: PlannedRun) -> float:
        likenesses: tuple[Callable[[PlannedRun], object], ...] = (
            lambda other: (other.of.task.name, other.of.cell.name),
            lambda other: other.of.task.name,
            lambda other: None,
        )
        for likeness in likenesses:
            alike = [done.seconds for done in self._done if likeness(done.run) == likeness(run)]
            if alike:
                return fmean(alike)
        raise AssertionError("some run is done, and every run is like it")
