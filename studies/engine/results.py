"""What a study leaves behind: its table, its figures, its report."""

from __future__ import annotations

from pathlib import Path

from backends.errors import InvalidInput
from lightning_modules.runs.run_directory import write_atomically
from studies.engine.folder import read_study, require_same_study
from studies.engine.grid import Grid
from studies.engine.plan import Plan
from studies.engine.study import Study
from studies.engine.table import in_file, table_of
from studies.report.of_grid import report_of
from studies.report.pages import write_report


def write_results(plan: Plan) -> list[Path]:
    """Write cells.csv, the figures and the report of a plan's cells, and return their paths."""
    table = table_of(plan.cells)
    plan.out.mkdir(parents=True, exist_ok=True)
    write_atomically(plan.out / "cells.csv", in_file(table).to_csv(index=False))
    drawn = plan.study.draw(table, plan.out)
    pages = write_report(report_of(plan, table, drawn), plan.out)
    return [plan.out / "cells.csv", *(figure.svg or figure.csv for figure in drawn), *pages]


def write_again(study: Study, out: Path) -> list[Path]:
    """Write the results of what was asked for last in a folder; measures nothing.

    Raises:
        InvalidInput: The folder holds no such study, or one of another version.
    """
    require_same_study(out, study.name, study.version)
    content = read_study(out)
    if "grid" not in content:
        raise InvalidInput(f"{out} does not say which grid was measured; give the study's command with --report-only.")
    grid = Grid.from_yaml(f"study {study.name}", content["grid"], f"{out}/study.json", study.conf)
    return write_results(Plan.of(study, grid, out, jobs=1))
