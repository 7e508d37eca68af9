"""From a grid to cells that are priced, put in order, and decided upon before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput
from backends.memory import format_bytes, total_bytes
from studies.engine.grid import Grid
from studies.engine.job import OVER_BUDGET, Job, Limits
from studies.engine.progress import readable
from studies.engine.study import Cell, Study

_SHARE_OF_MEMORY = 0.8


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
        combinations: dict[str, Mapping[str, Any]] = {}
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

    def jobs(self, origin: Mapping[str, Any]) -> list[Job]:
        """Return the jobs that are to be carried out, and record those over budget; what is done is left alone.

        A result that cannot be read is put aside and measured again.
        """
        jobs = []
        for cell in self.cells:
            job = replace(cell.job(self.limits, origin), label=self.label(cell))
            put_aside_unreadable(job.result)
            failure = job.read_failure()
            if job.is_done():
                continue
            if excess := self.over_budget(cell):
                job.fail(OVER_BUDGET, excess)
            elif failure is None or not failure.stands_under(self.limits):
                jobs.append(job)
        return jobs


def put_aside_unreadable(result: Path) -> None:
    """Rename a result that is no JSON to result.json.unreadable, and say so; nothing is deleted."""
    from studies.engine.table import read_result

    if result.exists() and read_result(result) is None:
        aside = result.with_name(f"{result.name}.unreadable")
        result.replace(aside)
        print(f"{result} could not be read (half-written?) and was put aside as {aside.name}; measured again.")
