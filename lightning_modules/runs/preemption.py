"""A job that is about to lose its nodes: SLURM says so by a signal, the training saves, and its job is requeued here.

How signals are answered stands in `tnqrnn/signals.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess

SIGNAL = signal.SIGUSR1


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
