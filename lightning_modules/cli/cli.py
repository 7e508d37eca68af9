"""The commands `fit`, `validate` and `test`: `tnqrnn fit --config digits --model.backend mps`.

`fit` trains, tests the checkpoint with the lowest validation loss (the last one, where nothing was validated) and
writes the result into the run's directory. Given again, the same command finds the result, or goes on with the run.
A request that cannot be served ends with one sentence and exit code 2, a run that had to stop with exit code 1, one
that a signal stopped with 128 + its number.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from backends.errors import InvalidInput
from lightning_modules.cli.command_line import CommandLine
from lightning_modules.runs.errors import STORAGE, TrainingStopped, storage_failed
from tnqrnn import signals


def main(argv: Sequence[str]) -> int:
    """Run a command line such as `["fit", "--config", "digits"]` and return its exit code."""

    def run() -> None:
        line = CommandLine.parse(argv)
        # Torch and Lightning take seconds to import, so that waits until a command is known to need them.
        from lightning_modules.cli.run_command import carry_out
        from lightning_modules.runs.processes import set_threads

        set_threads()
        carry_out(line)

    return exit_code(run)


def exit_code(run: Callable[[], None]) -> int:
    """Run a command and return its exit code: 0 done, 1 stopped, 2 refused, 128 + n by signal n; say why on stderr."""
    try:
        run()
    except InvalidInput as refusal:
        return _complain(refusal, 2)  # of several processes, all refuse: see `Together`
    except TrainingStopped as stop:
        return _complain(stop, 1, alone=not stop.everywhere)
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        return _complain(storage_failed(error), 1, alone=True)
    except signals.Left as left:
        return _complain(left, int(left.code or 0))
    except KeyboardInterrupt:  # where nobody listens: in a notebook, a thread, another program
        return _complain(RuntimeError("interrupted"), 130)
    except SystemExit as end:  # from --help
        return end.code if isinstance(end.code, int) else 0
    except Exception as fault:
        fault.add_note("This is a fault of tnqrnn, not of what was asked for: please report it, with the lines above.")
        raise
    return 0


def _complain(error: BaseException, code: int, *, alone: bool = False) -> int:
    """Say what is wrong: the first process for all of them, or each one that is `alone` with it."""
    from lightning_utilities.core.rank_zero import rank_zero_only  # takes a moment, which a refusal need not wait for

    rank = getattr(rank_zero_only, "rank", None) or 0
    if rank == 0 or alone:
        prefix = f"process {rank}: " if rank else ""
        print(prefix + " ".join(str(error).split()), file=sys.stderr, flush=True)
    else:
        # srun and torchrun end all processes once one has ended, and would report this one as ended, not as refused. So
        # the first one speaks and ends before this one, which is not to be ended meanwhile.
        signals.ignore_termination()
        time.sleep(1)
    return code
