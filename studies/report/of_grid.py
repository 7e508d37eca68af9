"""The report of a study of a grid: its figures, its cells, what is missing, and where the numbers come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas

from studies.engine.drawing import Drawn
from studies.engine.folder import read_study
from studies.engine.job import DONE, FAILED, MISSING, OVER_BUDGET
from studies.engine.table import in_file, read_result
from studies.report.contents import Picture, Report, Section, Table, Unfinished
from studies.report.origin import origin_of, told

if TYPE_CHECKING:
    from studies.engine.plan import Plan

_HEADER_ONLY = ("data_sha256", "parameters", "folder", "error", "threads")


def report_of(plan: Plan, table: pandas.DataFrame, drawn: Sequence[Drawn]) -> Report:
    """Return the report of a plan whose cells are the rows of `table`, with the figures that were drawn."""
    counts = Counter(table["status"])
    return Report(
        title=f"Study {plan.study.name}",
        question=f"{plan.study.question[0].upper()}{plan.study.question[1:]}.",
        facts=_facts(plan, table),
        sections=[
            Section("Figures", pictures=_pictures(drawn)),
            Section("Tables", tables=[*_tables(drawn), _cells(plan, table)]),
        ],
        unfinished=_unfinished(plan, table),
        settings=plan.grid.as_yaml().strip(),
        counts=[
            ("cells", len(table)),
            *((status.replace("_", " "), counts[status]) for status in (DONE, OVER_BUDGET, FAILED, MISSING)),
        ],
    )


def _pictures(drawn: Sequence[Drawn]) -> list[Picture]:
    return [Picture.read(figure.name, figure.caption, figure.svg, figure.csv) for figure in drawn if figure.svg]


def _tables(drawn: Sequence[Drawn]) -> list[Table]:
    return [
        Table.of(figure.name, figure.caption, pandas.read_csv(figure.csv)) for figure in drawn if figure.svg is None
    ]


def _cells(plan: Plan, table: pandas.DataFrame) -> Table:
    """Return the table of all cells, without the columns that say the same everywhere: those are in the header."""
    same = [name for name, values in plan.grid.values.items() if len(values) == 1]
    written = in_file(table)
    shown = written.drop(columns=[name for name in (*same, *_HEADER_ONLY) if name in written])
    return Table.of("cells", "Every cell of the grid; the file has every digit.", shown, written.to_csv(index=False))


def _unfinished(plan: Plan, table: pandas.DataFrame) -> list[Unfinished]:
    """List what has no result: missing first, then failed, then over budget."""
    order = [MISSING, FAILED, OVER_BUDGET]
    rows = zip(plan.cells, table["status"], table["error"], strict=True)
    left = [(cell, status, error) for cell, status, error in rows if status != DONE]
    left.sort(key=lambda row: order.index(row[1]))
    return [Unfinished(plan.label(cell), status.replace("_", " "), error) for cell, status, error in left]


def _facts(plan: Plan, table: pandas.DataFrame) -> list[tuple[str, str]]:
    study = read_study(plan.out)
    results = [read_result(Path(folder) / "result.json") for folder in table.loc[table["status"] == DONE, "folder"]]
    envs = [result.get("env", {}) for result in results if result]
    fixed = [f"{name} {values[0]}" for name, values in plan.grid.values.items() if len(values) == 1]
    facts = [
        ("command", study.get("command", "unknown")),
        ("started", study.get("written", "unknown")),
        ("seeds", ", ".join(str(seed) for seed in plan.grid.seeds)),
        ("the same in all cells", ", ".join(fixed) or "nothing"),
    ]
    facts += origin_of(envs, "cells")
    if "data_sha256" in table:
        facts.append(("data sha256", told(table["data_sha256"].dropna().tolist(), "cells")))
    parameters = [name for name in table.columns if name == "parameters" or name.startswith("parameters.")]
    for name in parameters:
        facts.append((name.replace(".", ", "), _range(table[name].dropna().tolist())))
    return facts


def _range(values: Sequence[float]) -> str:
    if not values:
        return "unknown"
    low, high = min(values), max(values)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
