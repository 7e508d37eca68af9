"""From a grid to cells that are priced, put in order, and decided upon before anything starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from backends.errors import InvalidInput
from backends.memory import format_bytes, total_bytes
from lightning_modules.runs.run_directory import RunDirectory, write_atomically
from studies.engine.cell import measure_cell
from studies.engine.dry_run import show
from studies.engine.grid import Grid
from studies.engine.job import DONE, OVER_BUDGET, Job, Limits
from studies.engine.progress import readable
from studies.engine.study import Price, Settings, Study
from studies.engine.table import in_file, read_result, table_of
from studies.report.of_grid import report_of
from studies.report.pages import write_report

_SHARE_OF_MEMORY = 0.8


@dataclass(frozen=True)
class Cell:
    """One combination of settings with one seed, its price, and where its files are."""

    settings: Settings
    seed: int
    price: Price
    directory: RunDirectory

    @classmethod
    def of(cls, study: Study, settings: Settings, seed: int, out: Path) -> Cell:
        """Return the cell of a study in the folder `out`; creates nothing."""
        # One level down: at the top, names such as "seed" and "checkpoint" are not part of the hash.
        identity = {"study": study.name, "version": study.version, "settings": dict(settings)}
        directory = RunDirectory.of(out / "cells", study.name, seed, identity)
        return cls(settings, seed, study.price(settings), directory)


@dataclass(frozen=True)
class Plan:
    """The cells of a study in the order in which they are measured, and the limits of each."""

    study: Study
    grid: Grid
    out: Path
    cells: Sequence[Cell]
    limits: Limits

    @classmethod
    def of(cls, study: Study, grid: Grid, out: Path, jobs: int) -> Plan:
        """Return the plan of a grid; writes nothing.

        Raises:
            InvalidInput: The grid is empty or too large, or a combination cannot be meant.
        """
        combinations: dict[str, Settings] = {}
        for values in grid.combinations():
            settings = study.normalise(values)
            if settings is not None:
                combinations[repr(sorted(settings.items()))] = settings
        if not combinations:
            raise InvalidInput(f"{grid.who}: none of the combinations can be measured; give other values.")
        by_price = sorted(combinations.values(), key=lambda settings: study.price(settings).seconds)
        # Seed by seed, so that a study that is stopped has whole tables of fewer seeds; the cheap ones first.
        cells = [Cell.of(study, settings, seed, out) for seed in grid.seeds for settings in by_price]
        gib = grid.memory_gib
        most = int(_SHARE_OF_MEMORY * total_bytes()) // jobs if gib is None else int(gib * 2**30)
        return cls(study, grid, out, cells, Limits(grid.seconds, most))

    @property
    def what(self) -> str:
        """How many cells there are."""
        return f"{len(self.cells)} cells"

    def show(self, at_a_time: int, console: Console) -> None:
        """Print the cells with their expected time and memory."""
        show(self, at_a_time, console)

    def as_yaml(self) -> str:
        """Return the grid as a file that reads back as the same."""
        return self.grid.as_yaml()

    def jobs(self, origin: Mapping[str, Any]) -> list[Job]:
        """Return the jobs that are to be carried out, and record those over budget; what is done is left alone.

        A result that cannot be read is put aside and measured again.
        """
        jobs = []
        for cell in self.cells:
            job = self._job(cell, origin)
            _put_aside_unreadable(job.result)
            failure = job.read_failure()
            if job.is_done():
                continue
            if excess := self.over_budget(cell):
                job.fail(OVER_BUDGET, excess)
            elif failure is None or not failure.stands_under(self.limits):
                jobs.append(job)
        return jobs

    def write(self) -> list[Path]:
        """Write cells.csv, the figures and the report, and return their paths."""
        table = table_of(self.cells)
        self.out.mkdir(parents=True, exist_ok=True)
        write_atomically(self.out / "cells.csv", in_file(table).to_csv(index=False))
        drawn = self.study.draw(table, self.out)
        pages = write_report(report_of(self, table, drawn), self.out)
        return [self.out / "cells.csv", *(figure.svg or figure.csv for figure in drawn), *pages]

    def unfinished(self) -> str:
        """Say how many cells failed or are missing."""
        counts = Counter(table_of(self.cells)["status"])
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if status not in (DONE, OVER_BUDGET))
        if not told:
            return ""
        return (
            f"not every cell has a result ({told}); {self.out / 'report.md'} says why, and the same command tries them "
            "again."
        )

    def label(self, cell: Cell) -> str:
        """Return what tells a cell from the others: "qubits 6, seed 0"."""
        varied = [name for name, values in self.grid.values.items() if len(values) > 1]
        told = [f"{name} {cell.settings[name]}" for name in varied if cell.settings.get(name) is not None]
        return ", ".join([*told, f"seed {cell.seed}"])

    def over_budget(self, cell: Cell) -> str | None:
        """Say why a cell is not started; None if it is."""
        price, limits = cell.price, self.limits
        if limits.bytes is not None and price.bytes > limits.bytes:
            return (
                f"not started: it is expected to need {format_bytes(price.bytes)}; the limit is "
                f"{format_bytes(limits.bytes)} (limits.memory_gib)."
            )
        if limits.seconds is not None and price.seconds > limits.seconds:
            return (
                f"not started: it is expected to take {readable(price.seconds)}; the limit is {limits.seconds:g} s "
                "(limits.seconds)."
            )
        return None

    def _job(self, cell: Cell, origin: Mapping[str, Any]) -> Job:
        path = cell.directory.path
        return Job(
            name=path.name,
            target=measure_cell,
            arguments=(self.study.measure, dict(cell.settings), cell.seed, path, dict(origin)),
            claim=path,
            result=cell.directory.result,
            failure=path / "failure.json",
            log=path / "log.txt",
            limits=self.limits,
            label=self.label(cell),
            expected_seconds=cell.price.seconds,
            expected_bytes=cell.price.bytes,
        )


def _put_aside_unreadable(result: Path) -> None:
    """Rename a result that is no JSON to result.json.unreadable, and say so; nothing is deleted."""
    if result.exists() and read_result(result) is None:
        aside = result.with_name(f"{result.name}.unreadable")
        result.replace(aside)
        print(f"{result} could not be read (half-written?) and was put aside as {aside.name}; measured again.")
