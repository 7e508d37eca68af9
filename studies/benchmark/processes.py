"""Training steps per second of P processes on one thread each, against one process on P threads: the same batches.

    python -m studies.benchmark.processes --config copying --steps 40 --model.n_qubits 10

Whole training steps of `tnqrnn fit`, without start-up and compiling: between the first logged steps and the last one.
The two take turns; medians over the turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from backends.errors import InvalidInput, require_positive_int
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.metrics_log import read_metrics
from studies.arguments import Parser
from tnqrnn.namesakes import children_without_working_directory

_WARM_UP = 5  # steps that are not counted


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return the exit code."""
    return exit_code(lambda: _run(argv))


def steps_per_second(processes: int, threads: int, steps: int, arguments: Sequence[str]) -> float:
    """Return the training steps per second of a fit by so many processes with so many threads each.

    Raises:
        InvalidInput: The fit failed.
    """
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    start = [sys.executable, *(torchrun if processes > 1 else []), "-m", "tnqrnn", "fit"]
    # fmt: off
    limits = ["--trainer.max_steps", str(steps + _WARM_UP), "--trainer.limit_val_batches", "1",
              "--trainer.limit_test_batches", "1", "--trainer.log_every_n_steps", "1"]
    # fmt: on
    with tempfile.TemporaryDirectory() as runs, children_without_working_directory():
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [*start, *arguments, *limits, "--runs", runs]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            told = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InvalidInput(f"benchmark of processes: {' '.join(command)} failed: {told}")
        [run] = Path(runs).iterdir()
        times = [row["time"] for row in read_metrics(run / "metrics.jsonl") if "train_loss_step" in row]
    return float((len(times) - 1 - _WARM_UP) / (times[-1] - times[_WARM_UP]))


def _run(argv: Sequence[str]) -> None:
    given, arguments = _arguments(argv)
    kinds = {"processes": (given.processes, 1), "threads": (1, given.processes)}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(given.repeats):
        for name, (processes, threads) in kinds.items():
            rates[name].append(steps_per_second(processes, threads, given.steps, arguments))
    several, one = (statistics.median(rates[name]) for name in kinds)
    print(f"{given.processes} processes x 1 thread   {several:8.2f} steps/s")
    print(f"1 process x {given.processes} threads    {one:8.2f} steps/s")
    print(f"ratio                   {several / one:8.2f}")


def _arguments(argv: Sequence[str]) -> tuple[Namespace, list[str]]:
    parser = Parser(prog="python -m studies.benchmark.processes", description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="what is trained; every other setting is that of tnqrnn fit")
    parser.add_argument("--processes", type=int, default=2, help="processes, and threads of the one (%(default)s)")
    parser.add_argument("--steps", type=int, default=40, help="training steps that are counted (%(default)s)")
    parser.add_argument("--repeats", type=int, default=1, help="turns of each (%(default)s)")
    given, others = parser.parse_known_args(argv)
    for name in ("processes", "steps", "repeats"):
        require_positive_int("benchmark of processes", f"--{name}", getattr(given, name))
    return given, ["--config", given.config, *others]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
