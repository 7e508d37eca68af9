"""One training in a process of its own.

Every process starts as a copy of one that has imported everything and taken one step, so that a run pays neither for
imports (several seconds) nor for compiling; and since it starts clean, its memory is its own.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Sequence
from multiprocessing import connection, context, get_context, parent_process
from pathlib import Path

import torch

from backends.errors import InvalidInput
from lightning_modules.errors import TrainingStopped
from lightning_modules.run_directory import write_json
from lightning_modules.runs import run_command

FAILED, INTERRUPTED = 1, 130


def server() -> context.ForkServerContext:
    """Return the context whose processes start warm; the first process of a program waits for the warming up."""
    processes = get_context("forkserver")
    processes.set_forkserver_preload(["studies.tasks.warm"])
    return processes


def carry_out(arguments: Sequence[str], log: Path, failure: Path, threads: int) -> None:
    """Run `tnqrnn fit` with these arguments, write what it says to `log`, and why it failed, if so, to `failure`.

    Ends the process with exit code 1 after a failure, with 130 after an interrupt: the run can then be resumed.
    """
    end_with_parent()
    torch.set_num_threads(threads)
    _redirect(log)
    try:
        run_command("fit", list(arguments))
    except (InvalidInput, TrainingStopped) as refusal:
        _fail(failure, " ".join(str(refusal).split()))
    except Exception as error:  # whatever else goes wrong in one run, the others are to go on
        traceback.print_exc()
        _fail(failure, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    except (SystemExit, KeyboardInterrupt):  # Lightning answers an interrupt with either
        sys.exit(INTERRUPTED)


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone: two must not work on one run when it is resumed."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True).start()


def _redirect(log: Path) -> None:
    """Send both streams to a file, also what native code writes."""
    with log.open("a") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def _fail(failure: Path, error: str) -> None:
    print(error, file=sys.stderr, flush=True)
    write_json(failure, {"error": error})
    sys.exit(FAILED)
