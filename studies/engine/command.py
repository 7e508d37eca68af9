"""The command line of every study of a grid: `tnqrnn study NAME [--conf F] [--out DIR] [--<setting> values ...]`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from backends.errors import InvalidInput, nearest, require_positive_int
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.run_directory import alone_in, require_writable
from studies.arguments import Parser, add_executor
from studies.engine.dry_run import show
from studies.engine.execute import Execution, available_cores, require_executor
from studies.engine.folder import require_same_study, write_study
from studies.engine.grid import Grid
from studies.engine.job import DONE
from studies.engine.plan import Plan
from studies.engine.progress import follow
from studies.engine.results import write_results
from studies.engine.slurm import parse_options
from studies.engine.study import Study
from studies.engine.table import table_of

_ENDING = """What is done is not done again: the same command given once more goes on where it was stopped, and tries
what failed again. Exit code 1 if a cell failed or is missing; cells over budget are results too."""


_OPTIONS = (
    *("--conf", "--out", "--dry-run", "--report-only", "--jobs", "--executor", "--slurm", "--seeds"),
    *("--limit-seconds", "--limit-memory-gib"),
)


def run_study(study: Study, argv: Sequence[str]) -> int:
    """Run a study's command and return its exit code: 0 done, 1 some cells failed, 2 refused, 130 interrupted."""
    return exit_code(lambda: _run(study, argv))


def _parser(study: Study, settings: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"tnqrnn study {study.name}",
        description=f"{study.question[0].upper()}{study.question[1:]}. {_ENDING}",
        allow_abbrev=False,
    )
    parser.add_argument("--conf", type=Path, default=study.conf, help="YAML file of the grid (the shipped one)")
    parser.add_argument("--out", type=Path, default=Path(f"runs/study-{study.name}"), help="folder (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="show cells, time and memory; start nothing")
    parser.add_argument("--report-only", action="store_true", help="measure nothing; report what is done so far")
    parser.add_argument(
        "--jobs", type=int, default=available_cores(), help="cells at a time; they share the cores (%(default)s)"
    )
    add_executor(parser)
    parser.add_argument("--limit-seconds", type=float, metavar="S", help="of one cell, instead of the file's")
    parser.add_argument("--limit-memory-gib", type=float, metavar="G", help="of one cell, instead of the file's")
    parser.add_argument("--seeds", nargs="+", metavar="N", help="instead of the file's")
    group = parser.add_argument_group(
        "settings of the grid", "one value, or several for an axis, instead of the file's"
    )
    for name in settings:
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"setting {name}", nargs="*", metavar="VALUE")
    return parser


def _run(study: Study, argv: Sequence[str]) -> None:
    who = f"study {study.name}"
    shipped = Grid.read(who, study.conf, study.conf)
    parser = _parser(study, list(shipped.values))
    given, unknown = parser.parse_known_args(argv)
    if unknown:
        options = [*_OPTIONS, *(f"--{name.replace('_', '-')}" for name in shipped.values)]
        raise InvalidInput(
            f"{who}: there is no option {unknown[0]!r}.{nearest(unknown[0], options)} See '{parser.prog} --help'."
        )
    require_positive_int(who, "--jobs", given.jobs)
    require_executor(who, given.executor)
    of_sbatch = parse_options(who, given.slurm, given.executor)
    require_writable(given.out, "--out")
    values = {name: value for name in shipped.values if (value := getattr(given, f"setting {name}")) is not None}
    grid = Grid.read(who, given.conf, study.conf).override(values, given.seeds)
    grid = grid.limited(seconds=given.limit_seconds, memory_gib=given.limit_memory_gib)
    require_same_study(given.out, study.name, study.version)
    # On a cluster, the memory of this machine is not what the cells share.
    plan = Plan.of(study, grid, given.out, 1 if given.executor == "slurm" else given.jobs)
    console = Console(width=None if Console().is_terminal else 150)
    if given.dry_run:
        show(plan, given.jobs, console)
        return
    with alone_in(given.out, f"tnqrnn study {study.name}", "choose another --out"):
        try:
            if not given.report_only:
                _carry_out(plan, given, of_sbatch, argv, console)
        finally:
            for path in write_results(plan):
                print(f"written: {path}")
    _require_whole(plan)


def _carry_out(
    plan: Plan, given: argparse.Namespace, options: Mapping[str, Any], argv: Sequence[str], console: Console
) -> None:
    origin = write_study(plan.out, plan.study.name, plan.study.version, argv, plan.grid.as_yaml())
    jobs = plan.jobs(origin)
    preload = [*plan.study.preload, plan.study.measure.__module__]
    execution = Execution(plan.out / "workers", given.jobs, given.executor, preload=preload, options=options)
    threads = f"{execution.threads_each} thread{'' if execution.threads_each == 1 else 's'}"
    at_a_time = 1 if given.executor == "debug" else given.jobs
    cores = "" if given.executor == "slurm" else f" ({available_cores()} cores here)"
    console.print(
        f"{len(plan.cells)} cells, {len(jobs)} to measure; {at_a_time} at a time, each on {threads}{cores}",
        highlight=False,
    )
    follow(execution, jobs, console)


def _require_whole(plan: Plan) -> None:
    """Raise TrainingStopped if a cell failed or is missing."""
    counts = Counter(table_of(plan.cells)["status"])
    unfinished = {status: count for status, count in counts.items() if status not in (DONE, "over_budget")}
    if unfinished:
        told = ", ".join(f"{count} {status}" for status, count in unfinished.items())
        raise TrainingStopped(
            f"tnqrnn study {plan.study.name}: not every cell has a result ({told}); {plan.out / 'report.md'} says why, "
            "and the same command tries them again."
        )
