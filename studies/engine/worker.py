"""A worker: takes one job after the other that nobody else has taken, until all are settled.

Workers know of each other only by what lies in the folder: a job is taken by locking its claim, and settled by its
result or its failure. So there may be any number of them, on machines that share the folder, and each may be killed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from studies.engine.job import Job, claimed
from studies.engine.process import attempt, carry_out, server


@dataclass(frozen=True)
class Owner:
    """The process that a worker must not outlive; pids are used again, so its start belongs to it.

    Where the file `stop` exists, the worker is to end as well.
    """

    pid: int
    started: float
    stop: Path

    @classmethod
    def of_this_process(cls, folder: Path) -> Owner:
        """Return this process, which asks its workers to stop by a file in `folder`."""
        pid = os.getpid()
        return cls(pid, psutil.Process().create_time(), folder.resolve() / f"stop-{pid}")

    def wants_work(self) -> bool:
        """Return whether it still runs, and has not asked to stop."""
        if self.stop.exists():
            return False
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


def work(jobs: Sequence[Job], at_a_time: int, threads: int, preload: Sequence[str], owner: Owner | None) -> int:
    """Carry out what is not settled, each job in a process of its own; return how many were carried out here.

    With an `owner`, this process ends when that one is gone, and what is under way with it.
    """
    if owner is not None:
        _end_with(owner)
    processes = server(preload)

    def one(job: Job) -> bool:
        return not job.is_settled() and carry_out(job, threads, processes)

    count, found = 0, 1
    with ThreadPoolExecutor(at_a_time) as pool:
        while found:  # another round: what another worker had taken may have been left behind
            found = sum(pool.map(one, jobs))
            count += found
    return count


def work_here(job: Job) -> None:
    """Carry out one job in this very process, without limits: for a debugger."""
    with claimed(job) as free:
        if free:
            attempt(job)


def _end_with(owner: Owner) -> None:
    def watch() -> None:
        while owner.wants_work():
            time.sleep(0.2)
        os._exit(1)  # the job's process follows, and its lock goes with it

    threading.Thread(target=watch, daemon=True).start()
