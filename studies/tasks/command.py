"""`tnqrnn study tasks`: carry out what is not done yet, then write the report of everything."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from backends.errors import require_positive_int
from lightning_modules.cli import exit_code
from lightning_modules.errors import TrainingStopped
from lightning_modules.run_directory import alone_in, require_writable
from studies.arguments import Parser
from studies.tasks.grid import Grid

_DEFAULTS = Path(__file__).parent.parent / "conf" / "tasks.yaml"
DESCRIPTION = """Train every task with every cell and seed at equal parameter counts, and write one table and one figure
per task. What is done already is not done again: the same command given once more goes on where it was stopped, and
tries failed runs again. Exit code 1 if a run failed or is missing."""


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 some runs failed, 2 refused, 130 interrupted."""
    return exit_code(lambda: _run(argv))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="tnqrnn study tasks", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--conf", type=Path, default=_DEFAULTS, help="YAML file of the study (the shipped one)")
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="only these tasks of the file")
    parser.add_argument("--cells", nargs="+", metavar="NAME", help="only these cells, and the reference")
    parser.add_argument("--seeds", nargs="+", metavar="N", help="these seeds instead of the file's")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread (%(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/study-tasks"), help="folder of runs and results (%(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="list the runs, their parameters and what is done; stop")
    parser.add_argument("--report-only", action="store_true", help="train nothing; report what is done so far")
    return parser


def _run(argv: Sequence[str]) -> None:
    given = _parser().parse_args(argv)
    require_positive_int("tnqrnn study tasks", "--jobs", given.jobs)
    grid = Grid.read(given.conf).select(given.tasks, given.cells, given.seeds)
    require_writable(given.out, "--out")
    # Torch and Lightning take seconds to import, so that waits until the request is known to make sense.
    from studies.tasks.study import StudyOfTasks

    console = Console(width=None if Console().is_terminal else 150)
    study = StudyOfTasks.planned(grid, given.out, console)
    if given.dry_run:
        study.show(console)
        return
    with alone_in(given.out, "tnqrnn study tasks", "choose another --out"):
        try:
            if not given.report_only:
                study.carry_out(given.jobs, console)
        finally:
            command = " ".join(["tnqrnn", "study", "tasks", *argv])
            for path in study.report(command):
                print(f"written: {path}")
    unfinished = study.unfinished()
    if unfinished:
        raise TrainingStopped(
            f"tnqrnn study tasks: not everything was done, some is without a result ({unfinished}); "
            f"{given.out / 'results.md'} says why, and the same command tries it again."
        )
