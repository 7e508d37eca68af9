"""One job in a process of its own, within limits of time and memory.

Every process starts as a copy of one that has imported everything, so that a job pays neither for imports (several
seconds) nor for compiling; and since it starts clean, its memory is its own.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from multiprocessing import connection, context, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import torch

from backends.errors import InvalidInput, NotEnoughMemory
from lightning_modules.runs.errors import TrainingStopped
from studies.engine.job import FAILED, OVER_BUDGET, Job, Limits, OverBudgetError, claimed

FAILED_CODE, TAKEN_CODE, INTERRUPTED_CODE = 1, 75, 130
_POLL = 0.1  # seconds between two looks at the memory of a job
_PATIENCE = 5.0  # seconds between asking a job to end and ending it


def server(preload: Sequence[str]) -> context.ForkServerContext:
    """Return the context whose processes start with these modules imported; the first one waits for the imports."""
    processes = get_context("forkserver")
    processes.set_forkserver_preload(list(preload))
    return processes


def carry_out(
    job: Job,
    threads: int,
    processes: context.ForkServerContext,
    stopping: threading.Event,  # once set, the process is ended
    leaving: threading.Event,  # set once others are about to end what runs here; that is no failure, either
) -> bool:
    """Carry out a job on so many threads, and return whether it was free; what went wrong is recorded.

    Returns when its process is gone.
    """
    job.log.parent.mkdir(parents=True, exist_ok=True)
    process = processes.Process(target=_inside, args=(job, threads))
    process.start()
    exceeded = _watch(process, job.limits, stopping)
    if process.exitcode == TAKEN_CODE:
        return False
    if not (job.is_settled() or stopping.is_set() or leaving.is_set()):
        if exceeded:
            job.fail(OVER_BUDGET, exceeded)
        elif process.exitcode != INTERRUPTED_CODE:
            job.fail(FAILED, _how_it_ended(process.exitcode or 0, job.log))
    return True


def attempt(job: Job) -> None:
    """Carry out a job in this process and record why it failed, if so; interrupts pass."""
    try:
        job.target(*job.arguments)
    except (OverBudgetError, NotEnoughMemory, MemoryError) as excess:
        _record(job, OVER_BUDGET, str(excess) or "it does not fit the memory.")
    except (InvalidInput, TrainingStopped) as refusal:
        _record(job, FAILED, str(refusal))
    except Exception as error:  # whatever else goes wrong in one job, the others are to go on
        traceback.print_exc()
        status = OVER_BUDGET if "not enough memory" in str(error) else FAILED  # torch's allocator has no type for it
        _record(job, status, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _inside(job: Job, threads: int) -> None:
    _end_with_parent()
    torch.set_num_threads(threads)
    # Here, not in the parent: this process may outlive it by a moment, and what is under way must stay taken.
    with claimed(job) as free:
        if not free:
            sys.exit(TAKEN_CODE)
        _redirect(job.log)
        try:
            attempt(job)
        except (SystemExit, KeyboardInterrupt):  # Lightning answers an interrupt with either
            sys.exit(INTERRUPTED_CODE)
        sys.exit(0 if job.is_done() else FAILED_CODE)


def _end_with_parent() -> None:
    """End this process as soon as the one that started it is gone: two must not work on one job."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(FAILED_CODE)

    threading.Thread(target=watch, daemon=True).start()


def _record(job: Job, status: str, error: str) -> None:
    print(error, file=sys.stderr, flush=True)
    job.fail(status, error)


def _watch(process: BaseProcess, limits: Limits, stopping: threading.Event) -> str | None:
    """Wait for a process; end it when it exceeds a limit, and say which."""
    started = time.monotonic()
    process.join(_POLL)
    while process.is_alive():
        if stopping.is_set():
            process.kill()
        elif exceeded := limits.exceeded_by(time.monotonic() - started, _resident(process.pid)):
            _end(process)
            return exceeded
        process.join(_POLL)
    return None


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(_PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()


def _resident(pid: int | None) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def _redirect(log: Path) -> None:
    """Send both streams to a file, also what native code writes."""
    with log.open("a") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def _how_it_ended(exitcode: int, log: Path) -> str:
    if exitcode < 0:
        return f"its process was ended by signal {-exitcode} (9 is often a want of memory); see {log}."
    return f"its process ended with exit code {exitcode} and without a result; see {log}."
