"""The command of every study: `tnqrnn study NAME [--conf F] [--out DIR] [--jobs N] [the study's own options]`."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from backends.errors import InvalidInput, require_positive_int
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.run_directory import alone_in, require_writable
from studies.arguments import Parser
from studies.engine.execute import WARM, Execution, available_cores, require_executor
from studies.engine.folder import read_study, require_same_study, write_study
from studies.engine.job import Job
from studies.engine.progress import follow
from studies.engine.slurm import parse_options


class Work(Protocol):
    """What a command asks of a study, planned: nothing is started or written yet."""

    @property
    def what(self) -> str:
        """How much it is, such as "12 cells"."""

    def show(self, at_a_time: int, console: Console) -> None:
        """Print what is planned, what it costs, and what is done."""

    def as_yaml(self) -> str:
        """Return what is asked for; it is kept in study.json."""

    def jobs(self, origin: Mapping[str, Any]) -> list[Job]:
        """Return the jobs that are to be carried out; `origin` (versions, commit) is kept with their results."""

    def write(self) -> list[Path]:
        """Write tables, figures and reports of what is done so far, and return their paths."""

    def unfinished(self) -> str:
        """Say in a sentence what has no result and should have; empty if nothing."""


class Command(ABC):
    """A study as the command line knows it."""

    name: str
    version: int
    preload: Sequence[str] = WARM  # see `modules`
    threads: int | None = None  # of every job; None: they share the cores

    @property
    @abstractmethod
    def description(self) -> str:
        """What --help says of it."""

    @property
    @abstractmethod
    def conf(self) -> Path:
        """The YAML file that is shipped."""

    @abstractmethod
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the study's own arguments, `--jobs` among them."""

    @abstractmethod
    def plan(self, given: argparse.Namespace) -> Work:
        """Return what a command asks for.

        Raises:
            InvalidInput: It cannot be meant.
        """

    @abstractmethod
    def plan_again(self, content: Mapping[str, Any], out: Path) -> Work:
        """Return what was asked for last in a folder, by its study.json."""

    def modules(self) -> Sequence[str]:
        """Return the modules that a process imports before its first job, which then costs no time of a job's."""
        return self.preload

    def main(self, argv: Sequence[str]) -> int:
        """Run the command and return its exit code: 0 done, 1 something failed, 2 refused, 130 interrupted."""
        return exit_code(lambda: self._run(argv))

    def write_again(self, out: Path) -> list[Path]:
        """Write the results of what was asked for last in a folder, and return their paths; measures nothing.

        Raises:
            InvalidInput: The folder holds no such study, or one of another version.
        """
        require_same_study(out, self.name, self.version)
        content = read_study(out)
        if not {"argv", "grid"} <= content.keys():
            raise InvalidInput(f"{out} does not say what was measured; give the study's command with --report-only.")
        return self.plan_again(content, out).write()

    def parser(self) -> Parser:
        """Return the parser of the command line."""
        parser = Parser(prog=f"tnqrnn study {self.name}", description=self.description, allow_abbrev=False)
        add = parser.add_argument
        add("--conf", type=Path, default=self.conf, help="YAML file of what is asked for (the shipped one)")
        add("--out", type=Path, default=Path(f"runs/study-{self.name}"), help="folder of the results (%(default)s)")
        add("--dry-run", action="store_true", help="show what there is to do, and what is done; start nothing")
        add("--report-only", action="store_true", help="start nothing; report what is done so far")
        add("--executor", default="local", metavar="NAME", help="debug (in this process), local or slurm (%(default)s)")
        add("--slurm", nargs="+", default=[], metavar="OPTION=VALUE", help="options of sbatch, such as partition=long")
        add("--seeds", nargs="+", metavar="N", help="instead of the file's")
        self.add_arguments(parser)
        return parser

    def _run(self, argv: Sequence[str]) -> None:
        given, who = self.parser().parse_args(argv), f"study {self.name}"
        require_positive_int(who, "--jobs", given.jobs)
        require_executor(who, given.executor)
        options = parse_options(who, given.slurm, given.executor)
        require_writable(given.out, "--out")
        require_same_study(given.out, self.name, self.version)
        work, console = self.plan(given), Console(width=None if Console().is_terminal else 150)
        if given.dry_run:
            work.show(given.jobs, console)
            return
        with alone_in(given.out, f"tnqrnn {who}", "choose another --out"):
            try:
                if not given.report_only:
                    origin = write_study(given.out, self.name, self.version, argv, work.as_yaml())
                    workers = given.out / "workers"
                    execution = Execution(workers, given.jobs, given.executor, self.threads, self.modules(), options)
                    carry_out(work.what, execution, work.jobs(origin), console)
            finally:
                for path in work.write():
                    print(f"written: {path}")
        if left := work.unfinished():
            raise TrainingStopped(f"tnqrnn {who}: {left}")


def carry_out(what: str, execution: Execution, jobs: Sequence[Job], console: Console) -> None:
    """Carry out the jobs that are left of `what`, and say how it goes."""
    threads = f"{execution.threads_each} thread{'' if execution.threads_each == 1 else 's'}"
    at_a_time = 1 if execution.executor == "debug" else execution.jobs
    cores = "" if execution.executor == "slurm" else f" ({available_cores()} cores here)"
    told = f"{what}, {len(jobs)} to do; {at_a_time} at a time, each on {threads}{cores}"
    console.print(told, highlight=False)
    follow(execution, jobs, console)
