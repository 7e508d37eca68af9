"""The report of a study of tasks as a page: the same tables, sentences and figures as in results.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas

from studies.report.contents import Picture, Report, Section, Table, Unfinished
from studies.tasks.header import READING, facts
from studies.tasks.report import HEADINGS, about, table_of, unfinished, verdict
from studies.tasks.results import TaskResults

TITLE = "Every task with every cell at equal parameter counts"


def page_of(results: Sequence[TaskResults], reference: str, command: str, now: str, settings: str, out: Path) -> Report:
    """Return the report; the figures of `write_report` lie in `out`."""
    rows = [row for task in results for row in task.rows]
    counts = Counter(row.status for row in rows)
    runs = pandas.DataFrame([row.flat() for row in rows])
    sections = [
        Section(
            f"{task.task.name} ({HEADINGS[kind].lower()})", [about(task)], verdict(task, reference), *_shown(task, out)
        )
        for kind in HEADINGS
        for task in results
        if task.reference.planned.data_kind == kind
    ]
    every_run = Table.of("runs", "Every run; the file has every digit.", runs.drop(columns=["data_sha256", "error"]))
    return Report(
        title=TITLE,
        question="What does a quantum hidden state buy, against recurrent cells of the same size?",
        facts=facts(results, command, now),
        sections=[*sections, Section("How to read it, and every run", [_plain(READING)], tables=[every_run])],
        unfinished=[Unfinished(*line) for line in unfinished(results)],
        settings=settings.strip(),
        complete="Every run that was planned is done.",
        counts=[("runs", len(rows)), *((status, counts[status]) for status in ("done", "failed", "missing"))],
    )


def _shown(task: TaskResults, out: Path) -> tuple[list[Table], list[Picture]]:
    """Return table and figure of one task, with the runs behind it."""
    name, metric = task.task.name, task.metric.replace("_", " ")
    headings, lines = table_of(task)
    table = pandas.DataFrame(lines, columns=headings)
    caption = f"Test {metric} of every seed, cell by cell, from the lowest to the highest, and the mean."
    svg = out / f"{name}.svg"
    pictures = [Picture(name, caption, svg.read_text(), _runs(task))] if svg.exists() else []
    return [Table.of(f"{name}_table", "Cell by cell; how to read it stands below.", table)], pictures


def _runs(task: TaskResults) -> str:
    return str(pandas.DataFrame([row.flat() for row in task.rows]).to_csv(index=False))


def _plain(markdown: str) -> str:
    """Return a paragraph without marks of emphasis."""
    return " ".join(markdown.replace("*", "").split())
