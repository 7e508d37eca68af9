"""Carrying out jobs, several at a time: on this machine, or through submitit as SLURM arrays.

Either way the same workers do it, and what they did is read from the folder. "debug" starts nothing: one job after the
other in this very process, without limits, for a debugger.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from backends.errors import InvalidInput, require_choice
from studies.engine.job import Job
from studies.engine.slurm import on_a_cluster
from studies.engine.worker import work, work_here

EXECUTORS = ("debug", "local", "slurm")
WARM = ("studies.engine.warm",)  # what every training imports and compiles


@dataclass(frozen=True)
class Execution:
    """How jobs are carried out: `jobs` at a time; the logs of workers on a cluster go to `folder`.

    `threads` of every job; None shares the cores out, and never oversubscribes them. `preload`: modules that a worker
    imports once for all of its jobs. `options` of the executor (SLURM's partition).
    """

    folder: Path
    jobs: int
    executor: str = "local"
    threads: int | None = None
    preload: Sequence[str] = WARM
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

    def settled(self, jobs: Sequence[Job]) -> Generator[Job, None, None]:
        """Carry out `jobs` in this order, some at a time, and yield every one as it ends.

        Closing the generator ends what is under way; it can be resumed.
        """
        for job in jobs:
            job.failure.unlink(missing_ok=True)  # what failed before is tried again
        if self.executor == "debug":
            for job in jobs:
                work_here(job)
                yield job
        elif self.executor == "local":
            yield from work(jobs, min(self.jobs, len(jobs)), self.threads_each, self.preload, threading.Event())
        else:
            yield from on_a_cluster(jobs, self.jobs, self.threads_each, self.preload, self.folder, self.options)


def require_executor(who: str, name: str) -> str:
    """Return the name of an executor that can be used here; refuse any other."""
    require_choice(who, "executor", name, EXECUTORS)
    if name == "slurm" and shutil.which("sbatch") is None:
        raise InvalidInput(f"{who}: executor 'slurm' needs SLURM's sbatch, which is not on the PATH; use 'local'.")
    return name


def available_cores() -> int:
    """Return the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
