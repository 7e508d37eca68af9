"""What a study leaves behind: its table, its figures, its report."""

from __future__ import annotations

from pathlib import Path

from studies.engine.plan import Plan
from studies.engine.table import table_of, write_table


def write_results(plan: Plan) -> list[Path]:
    """Write cells.csv and the figures of the cells of a plan, and return their paths; what is missing is in them."""
    table = table_of(plan.cells)
    plan.out.mkdir(parents=True, exist_ok=True)
    write_table(table, plan.out / "cells.csv")
    figures = plan.study.figures(table, plan.out)
    return [plan.out / "cells.csv", *(figure.svg for figure in figures)]
