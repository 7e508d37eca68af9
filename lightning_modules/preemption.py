"""A job that is about to lose its nodes: SLURM says so by a signal, and the training stops at the next step.

The signal only raises a flag. A checkpoint written inside a signal handler, in the middle of a step and at another
place in every process, could neither be exact nor be written together. Imports nothing heavy: `tnqrnn fit` listens
before torch is loaded.
"""

from __future__ import annotations

import os
import signal
import subprocess
from types import FrameType

SIGNAL = signal.SIGUSR1

_asked = False
_listening = False


def listen() -> None:
    """Take note of SIGUSR1 from now on, instead of dying of it."""
    global _listening
    signal.signal(SIGNAL, _note)
    _listening = True


def is_listening() -> bool:
    """Whether this process takes note of the signal."""
    return _listening


def is_asked() -> bool:
    """Whether the signal has come."""
    return _asked


def ignore_termination() -> None:
    """Ignore SIGTERM from now on: this process is about to end by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def requeue() -> str:
    """Put this process's SLURM job back into the queue, and return in words what became of it."""
    job = _job()
    if job is None:
        return "the same command goes on with the run"
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=60)
        failure = done.stderr.strip() if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        failure = str(error)
    if failure is not None:
        return f"job {job} could not be requeued ({failure}), so submit it again: it goes on with the run"
    return f"job {job} is requeued and goes on with the run"


def _job() -> str | None:
    """Return the job's number, as scontrol wants it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def _note(signal_number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
