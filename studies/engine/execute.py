"""Carrying out jobs, several at a time, through submitit: on this machine, or as a SLURM array.

Either way the same workers are started, and what they did is read from the folder. "debug" starts nothing: one job
after the other in this very process, without limits, for a debugger.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import submitit
import torch

from backends.errors import InvalidInput, require_choice
from studies.engine.arrays import TIMES_REQUEUED, Queue, arrays
from studies.engine.job import MISSING, Failure, Job
from studies.engine.worker import Owner, work, work_here
from tnqrnn.namesakes import python_of_scripts

EXECUTORS = ("debug", "local", "slurm")
_POLL = 0.2  # seconds between two looks at the folder
_PATIENCE = 60.0  # seconds that workers are given to end
_WEEK = 7 * 24 * 60  # minutes; what limits a job is its own limit
_WARM = "studies.engine.warm"


@dataclass(frozen=True)
class Outcome:
    """How one job ended: after how many seconds, and why it failed, if so."""

    job: Job
    seconds: float
    failure: Failure | None

    @property
    def status(self) -> str:
        """done, failed, over_budget, or missing where it was left undone."""
        return "done" if self.job.is_done() else self.failure.status if self.failure else MISSING


@dataclass(frozen=True)
class Execution:
    """How jobs are carried out: `jobs` at a time; the workers' own logs go to `folder`.

    `threads` of every job; None shares the cores out, and never oversubscribes them. `preload`: modules that a worker
    imports once for all of its jobs. `options` of the executor (SLURM's partition).
    """

    folder: Path
    jobs: int
    executor: str = "local"
    threads: int | None = None
    preload: Sequence[str] = (_WARM,)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def threads_each(self) -> int:
        """Threads of every job: its share of those that torch was given here, perhaps by OMP_NUM_THREADS.

        On a cluster, whose cores are not these, one; in this very process, all that it has.
        """
        if self.executor == "slurm":
            return self.threads or 1
        if self.executor == "debug":
            return torch.get_num_threads()
        return self.threads or max(1, min(available_cores(), torch.get_num_threads()) // self.jobs)

    def outcomes(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Carry out `jobs` in this order, some at a time, and yield every outcome as it comes.

        Closing the generator ends what is under way; it can be resumed.
        """
        for job in jobs:
            job.failure.unlink(missing_ok=True)  # what failed before is tried again
        if self.executor == "debug":
            for job in jobs:
                work_here(job)
                yield Outcome(job, job.seconds(), job.read_failure())
        elif self.executor == "local":
            yield from self._on_this_machine(jobs)
        else:
            yield from self._on_a_cluster(jobs)

    def _on_this_machine(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """One worker, whose jobs all start as copies of one process."""
        owner = Owner.of_this_process(self.folder)
        at_a_time = min(self.jobs, len(jobs))
        worker = self._submitit().submit(work, list(jobs), at_a_time, self.threads_each, list(self.preload), owner)

        def at_work() -> bool:
            return not worker.done()

        try:
            yield from _watch(jobs, at_work)
        except BaseException:
            owner.stop.touch()
            raise
        finally:
            _wait_while(at_work)
            owner.stop.unlink(missing_ok=True)

    def _on_a_cluster(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Workers in arrays; what they do is asked of the folder, whether they are there of SLURM."""
        workers: list[submitit.Job[int]] = []
        queue = Queue(workers)
        try:
            for array in arrays(jobs, self.jobs):
                workers += array.submit(self._submitit(), self.threads_each, list(self.preload))
            yield from _watch(jobs, queue.at_work)
        except BaseException:
            _cancel(workers)
            _wait_while(queue.at_work)
            raise
        _cancel(workers)  # one that was requeued, and waits, has nothing left to do

    def _submitit(self) -> submitit.Executor:
        settings: dict[str, Any] = {}
        if self.executor == "slurm":
            settings = {"slurm_max_num_timeout": TIMES_REQUEUED, "slurm_python": python_of_scripts()}
        executor = submitit.AutoExecutor(folder=self.folder, cluster=self.executor, **settings)
        executor.update_parameters(timeout_min=_WEEK, cpus_per_task=self.threads_each, **self.options)
        return executor


def require_executor(who: str, name: str) -> str:
    """Return the name of an executor that can be used here; refuse any other."""
    require_choice(who, "executor", name, EXECUTORS)
    if name == "slurm" and shutil.which("sbatch") is None:
        raise InvalidInput(f"{who}: executor 'slurm' needs SLURM's sbatch, which is not on the PATH; use 'local'.")
    return name


def available_cores() -> int:
    """Return the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cancel(workers: Sequence[submitit.Job[int]]) -> None:
    for worker in workers:
        worker.cancel(check=False)


def _wait_while(at_work: Callable[[], bool]) -> None:
    """Wait until the workers are gone: nothing may be written any more when the report is."""
    patience = time.monotonic() + _PATIENCE
    while at_work() and time.monotonic() < patience:
        time.sleep(_POLL)


def _watch(jobs: Sequence[Job], at_work: Callable[[], bool]) -> Generator[Outcome, None, None]:
    """Yield jobs as they are settled; when all workers have ended, those that none of them settled."""
    pending = {job.name: job for job in jobs}
    while pending:
        some_work = at_work()
        for job in [job for job in pending.values() if job.is_settled() or not some_work]:
            del pending[job.name]
            yield Outcome(job, job.seconds(), job.read_failure())
        if pending:
            time.sleep(_POLL)
