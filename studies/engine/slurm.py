"""Jobs on a SLURM cluster: workers as elements of submitit's job arrays, one array for jobs that need about as much.

A worker takes one job of its array after the other, so an array has as many elements as may run at a time, and none
asks for memory that only other jobs need. When its time is up or its node is taken, submitit asks it for a
`checkpoint` and requeues it; it then goes on with what the folder says is not settled.
"""

from __future__ import annotations

import math
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from backends.errors import InvalidInput
from studies.engine.job import Job
from studies.engine.process import server
from studies.engine.worker import work
from tnqrnn.namesakes import python_of_scripts

TIMES_REQUEUED = 1000  # because of their time: each goes on where the last one was
_GIB = 2**30
_BASE_GIB = 0.75  # interpreter and libraries, of the worker and of the process of its job
_MARGIN = 2  # between what is expected and what is asked for
_SHORTEST, _UNKNOWN = 30, 24 * 60  # minutes that are asked for
_POLL, _ASK = 0.2, 5.0  # seconds between two looks at the folder, and two questions to SLURM
_PATIENCE = 60.0  # seconds that workers are given to end
_DEAF_TO = {signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
# fmt: off
_OVER = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}
# fmt: on


def on_a_cluster(
    jobs: Sequence[Job], at_a_time: int, threads: int, preload: Sequence[str], logs: Path, options: Mapping[str, Any]
) -> Generator[Job, None, None]:
    """Carry out jobs by workers in arrays, and yield every job as the folder says that it is settled.

    Last come those that no worker settled. Closing the generator cancels the workers. `options` are submitit's.

    Raises:
        InvalidInput: SLURM does not take them.
    """
    queue = Queue()
    try:
        for array in arrays(jobs, at_a_time):
            queue.workers += array.submit(new_executor(logs, threads, options), threads, list(preload))
        pending = list(jobs)
        while pending:
            at_work = queue.at_work()
            for job in [job for job in pending if job.is_settled() or not at_work]:
                pending.remove(job)
                yield job
            time.sleep(_POLL)
    except BaseException:
        queue.cancel()
        queue.wait()  # nothing may be written any more when the report is
        raise
    queue.cancel()  # one that was requeued, and waits, has nothing left to do


def new_executor(logs: Path, threads: int, options: Mapping[str, Any]) -> submitit.AutoExecutor:
    """Return what submits workers of so many threads, whose logs go to a folder; `options` are submitit's."""
    settings = {"slurm_max_num_timeout": TIMES_REQUEUED, "slurm_python": python_of_scripts()}
    executor = submitit.AutoExecutor(folder=logs, cluster="slurm", **settings)
    executor.update_parameters(cpus_per_task=threads, **options)
    return executor


@dataclass(frozen=True)
class Array:
    """Jobs of one array, how many workers share them, and what each asks for: minutes, GiB (None: the default)."""

    jobs: tuple[Job, ...]
    workers: int
    minutes: int
    gib: int | None

    def submit(self, executor: submitit.Executor, threads: int, preload: Sequence[str]) -> list[submitit.Job[int]]:
        """Submit the workers.

        Raises:
            InvalidInput: SLURM does not take them.
        """
        memory = {} if self.gib is None else {"mem_gb": self.gib}
        executor.update_parameters(timeout_min=self.minutes, slurm_array_parallelism=self.workers, **memory)
        try:
            with executor.batch():
                return [executor.submit(Worker(self.jobs, threads, preload)) for _ in range(self.workers)]
        except FailedJobError as error:
            told = [line for line in str(error).splitlines() if line.startswith("sbatch:")] or [str(error)]
            raise InvalidInput(f"study: SLURM does not take the jobs ({told[-1].strip()}); see --slurm.") from error


@dataclass
class Worker:
    """A worker that can be requeued: called again, it goes on with what is not settled."""

    jobs: Sequence[Job]
    threads: int
    preload: Sequence[str]

    def __call__(self) -> int:
        """Carry out what is not settled; return how many were found settled in the end."""
        self.leaving = threading.Event()
        # SLURM signals every process of the job, but a job's process must not die of it: that would look like a
        # failure of its own. What is blocked here stays blocked in the processes that are started now.
        signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF_TO)
        server(self.preload)
        forkserver.ensure_running()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _DEAF_TO)
        signal.signal(signal.SIGTERM, lambda number, frame: self.leaving.set())
        return sum(job.is_settled() for job in work(self.jobs, 1, self.threads, self.preload, self.leaving))

    def checkpoint(self) -> DelayedSubmission:
        """Return what submitit is to start when the job runs again."""
        self.leaving.set()
        return DelayedSubmission(Worker(self.jobs, self.threads, self.preload))


class Queue:
    """The workers that SLURM still knows of; asked now and then: all users of a cluster ask the same server."""

    def __init__(self) -> None:
        self.workers: list[submitit.Job[int]] = []
        self._asked = time.monotonic()
        self._absent = 0  # answers in a row without any of them

    def at_work(self) -> bool:
        """Return whether a worker may still do something; a requeued one that waits, too."""
        if self.workers and time.monotonic() - self._asked >= _ASK:
            self._asked = time.monotonic()
            self._absent = 0 if self._listed() else self._absent + 1
        # Twice, so that what the last worker wrote on another node has time to be seen here.
        return bool(self.workers) and self._absent < 2

    def cancel(self) -> None:
        """Cancel all workers."""
        for worker in self.workers:
            worker.cancel(check=False)

    def wait(self) -> None:
        """Wait until the workers are gone, but not forever."""
        patience = time.monotonic() + _PATIENCE
        while self.at_work() and time.monotonic() < patience:
            time.sleep(_POLL)

    def _listed(self) -> bool:
        """Ask squeue: there need be no accounting, which submitit's own watcher asks."""
        numbers = sorted({worker.job_id.partition("_")[0] for worker in self.workers})
        command = ["squeue", "--noheader", "--states=all", "--Format=state", f"--jobs={','.join(numbers)}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            return "Invalid job id" not in done.stderr  # the server may be busy
        return not set(done.stdout.split()) <= _OVER


def parse_options(who: str, given: Sequence[str], executor: str) -> dict[str, Any]:
    """Return sbatch's options, such as partition=long, as submitit's executor takes them.

    Raises:
        InvalidInput: One is not of that form, or there is no use for them.
    """
    if given and executor != "slurm":
        raise InvalidInput(f"{who}: --slurm has no effect with --executor {executor}; add --executor slurm.")
    options = dict(text.partition("=")[::2] for text in given)
    for name, value in options.items():
        if not name.replace("-", "").isalnum() or not value:
            raise InvalidInput(f"{who}: --slurm takes options of sbatch such as partition=long, got {name}={value}.")
    return {"slurm_additional_parameters": options} if options else {}


def arrays(jobs: Sequence[Job], at_a_time: int) -> list[Array]:
    """Group jobs by expected memory and time, and share `at_a_time` workers out among the groups by expected time."""
    by_need: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        by_need.setdefault((_gib(job) or 0, _magnitude(job)), []).append(job)
    groups = [by_need[need] for need in sorted(by_need)]
    while len(groups) > at_a_time:  # fewer workers than groups: the cheapest goes with the next, which needs more
        cheapest = min(range(len(groups) - 1), key=lambda k: _seconds(groups[k]))
        groups[cheapest : cheapest + 2] = [groups[cheapest] + groups[cheapest + 1]]
    return [_array(group, workers) for group, workers in zip(groups, _shares(groups, at_a_time), strict=True)]


def _array(jobs: Sequence[Job], workers: int) -> Array:
    longest = max((job.expected_seconds or 0.0 for job in jobs), default=0.0)
    limits = max((job.limits.seconds or 0.0 for job in jobs), default=0.0)
    known = all(job.expected_seconds is not None for job in jobs)
    seconds = max(_MARGIN * max(_seconds(jobs) / workers, longest), limits)
    minutes = max(_SHORTEST, math.ceil(seconds / 60) + _SHORTEST // 2) if known else _UNKNOWN
    needs = [gib for job in jobs if (gib := _gib(job)) is not None]
    return Array(tuple(jobs), workers, minutes, max(needs) if len(needs) == len(jobs) else None)


def _shares(groups: Sequence[Sequence[Job]], at_a_time: int) -> list[int]:
    """Return the workers of every group: one each, the others where most work is left for one."""
    shares = [1] * len(groups)
    for _ in range(at_a_time - len(groups)):
        wanting = [k for k in range(len(groups)) if shares[k] < len(groups[k])]
        if not wanting:
            break
        shares[max(wanting, key=lambda k: _seconds(groups[k]) / shares[k])] += 1
    return shares


def _seconds(jobs: Sequence[Job]) -> float:
    return sum(job.expected_seconds or 1.0 for job in jobs)


def _gib(job: Job) -> int | None:
    """Return the GiB to ask for: a power of two, so that there are few groups."""
    if job.expected_bytes is None:
        return None
    return int(2 ** math.ceil(math.log2(_BASE_GIB + _MARGIN * job.expected_bytes / _GIB)))


def _magnitude(job: Job) -> int:
    """Return the power of ten of the expected seconds; below a minute all are alike."""
    return math.ceil(math.log10(max(job.expected_seconds or 60.0, 60.0)))
