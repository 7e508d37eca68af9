"""`tnqrnn study tasks`: carry out what is not done yet, then write the report of everything."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from backends.errors import require_positive_int
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.run_directory import alone_in, require_writable
from studies.arguments import Parser, add_executor
from studies.engine.execute import require_executor
from studies.engine.folder import read_study, require_same_study, write_study
from studies.engine.slurm import parse_options
from studies.tasks.grid import Grid

if TYPE_CHECKING:
    from studies.tasks.study import StudyOfTasks

NAME, VERSION = "tasks", 1
_DEFAULTS = Path(__file__).parent.parent / "conf" / "tasks.yaml"
DESCRIPTION = """Train every task with every cell and seed at equal parameter counts, and write one table and one figure
per task. What is done already is not done again: the same command given once more goes on where it was stopped, and
tries failed runs again. Exit code 1 if a run failed or is missing."""


class _Tasks:
    def main(self, argv: Sequence[str]) -> int:
        """Run the command and return its exit code: 0 done, 1 some runs failed, 2 refused, 130 interrupted."""
        return exit_code(lambda: _run(argv))

    def write_again(self, out: Path) -> list[Path]:
        """Write the report of what was asked for last in a folder; trains nothing.

        Raises:
            InvalidInput: The folder holds another study, or its YAML file is gone.
        """
        require_same_study(out, NAME, VERSION)
        argv = read_study(out)["argv"]
        return _planned(_parser().parse_args(argv), out).report(_command(argv))


STUDY = _Tasks()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="tnqrnn study tasks", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--conf", type=Path, default=_DEFAULTS, help="YAML file of the study (the shipped one)")
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="only these tasks of the file")
    parser.add_argument("--cells", nargs="+", metavar="NAME", help="only these cells, and the reference")
    parser.add_argument("--seeds", nargs="+", metavar="N", help="these seeds instead of the file's")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread (%(default)s)")
    add_executor(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/study-tasks"), help="folder of runs and results (%(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="list the runs, their parameters and what is done; stop")
    parser.add_argument("--report-only", action="store_true", help="train nothing; report what is done so far")
    return parser


def _run(argv: Sequence[str]) -> None:
    given = _parser().parse_args(argv)
    require_positive_int("tnqrnn study tasks", "--jobs", given.jobs)
    require_executor("tnqrnn study tasks", given.executor)
    options = parse_options("tnqrnn study tasks", given.slurm, given.executor)
    require_writable(given.out, "--out")
    require_same_study(given.out, NAME, VERSION)
    study = _planned(given, given.out)
    if given.dry_run:
        study.show(_console())
        return
    with alone_in(given.out, "tnqrnn study tasks", "choose another --out"):
        try:
            if not given.report_only:
                write_study(given.out, NAME, VERSION, argv, given.conf.read_text())
                study.carry_out(given.jobs, _console(), given.executor, **options)
        finally:
            for path in study.report(_command(argv)):
                print(f"written: {path}")
    unfinished = study.unfinished()
    if unfinished:
        raise TrainingStopped(
            f"tnqrnn study tasks: not everything was done, some is without a result ({unfinished}); "
            f"{given.out / 'results.md'} says why, and the same command tries it again."
        )


def _planned(given: argparse.Namespace, out: Path) -> StudyOfTasks:
    grid = Grid.read(given.conf).select(given.tasks, given.cells, given.seeds)
    # Torch and Lightning take seconds to import, so that waits until the request is known to make sense.
    from studies.tasks.study import StudyOfTasks

    return StudyOfTasks.planned(grid, out, _console())


def _console() -> Console:
    return Console(width=None if Console().is_terminal else 150)


def _command(argv: Sequence[str]) -> str:
    return " ".join(["tnqrnn", "study", NAME, *argv])
