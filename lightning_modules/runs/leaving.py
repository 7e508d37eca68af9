"""Leaving a run when a signal asks for it, with everything saved. How signals are heard: `tnqrnn/signals.py`.

A job that is about to lose its nodes is told so by SLURM with a signal of its own: the training saves, and its job is
requeued here.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import NoReturn

from pytorch_lightning import Trainer

from lightning_modules.runs.processes import gathered
from lightning_modules.runs.run_directory import RunDirectory
from tnqrnn import signals

LOSES_NODES = signal.SIGUSR1


def must_leave(trainer: Trainer) -> bool:
    """Whether any process was told to; one signal may reach them at different steps."""
    if not signals.is_listening():
        return False
    return bool(trainer.strategy.reduce_boolean_decision(signals.asked() is not None, all=False))


def leave_if_asked(trainer: Trainer, run: RunDirectory, *, listen: bool = True) -> None:
    """Stop, with everything saved, if any process was told to."""
    if listen:
        signals.listen_again()  # Lightning listens for SIGTERM too, and would leave without saving
    if must_leave(trainer):
        leave(trainer, run)


def leave(trainer: Trainer, run: RunDirectory) -> NoReturn:
    """Stop, with everything saved."""
    # A requeued job is ended at once; that is another way to be told what is known already.
    signals.ignore_termination()
    number = max(asked for asked in gathered(signals.asked()) if asked is not None)
    if trainer.is_global_zero:
        saved = f"{run.path} is saved after step {trainer.global_step}" if run.last.exists() else "nothing to save yet"
        goes_on = requeue() if number == LOSES_NODES else "the same command goes on with the run"
        print(f"told to leave: {saved}; {goes_on}", flush=True)
    trainer.strategy.barrier()
    raise signals.Left(number, f"stopped after step {trainer.global_step}, told by {signal.Signals(number).name}.")


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
