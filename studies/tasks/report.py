"""The report of a study: results.md and report.html for people, runs.csv for programs, a figure per task.

Tasks on real and on synthetic data stand apart, and no number is taken over several tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import pandas

from lightning_modules.runs.run_directory import write_atomically
from studies.engine.folder import read_study
from studies.engine.job import DONE, FAILED, MISSING
from studies.report.contents import Picture, Report, Section, Table, Unfinished
from studies.report.origin import origin_of
from studies.report.pages import write_page, write_report
from studies.tasks.figures import draw_task
from studies.tasks.results import CellSummary, TaskResults
from studies.tasks.statistics import smallest_p

_MUCH = 1.2
_GROUPS = {"real": "Real data", "synthetic": "Synthetic data"}
_TITLE = "Every task with every cell at equal parameter counts"
_READING = """\
How to read the tables. Every cell is given the width at which it has as many trained parameters as the reference
(*deviation* is what is left; a width is a whole number); embedding and head are counted apart, and the head is as wide
as the cell's readouts. *std* is the standard deviation over the seeds, *seeds* the number of those with a result.
*difference* is cell minus reference over the seeds that both have, and *by seed* lists these differences. *Cliff's δ*
is 1 if the cell is better in every pair of runs and -1 if the reference is; *p* is that of Wilcoxon's signed-rank test
over the seeds, two-sided and exact, uncorrected for the number of cells. *training s* includes validation and writing
checkpoints; *inference* is the test pass (forward, loss and metrics) at the training's batch size; both were measured
while other runs were under way on the other cores. *memory* is the high-water mark of the process's resident memory
during training above what it held before; differences of some ten MiB mean nothing. Tasks are not to be compared with
each other, and no rank is taken over several of them. Budgets are small, and every cell has the same: a cell that
learns slowly is not a cell that cannot learn."""


def write_results(results: Sequence[TaskResults], reference: str, settings: str, out: Path) -> list[Path]:
    """Write the figures, runs.csv and the pages into `out`, and return their paths; `settings` is YAML."""
    out.mkdir(parents=True, exist_ok=True)
    runs = pandas.concat([_runs_of(task) for task in results])
    write_atomically(out / "runs.csv", runs.to_csv(index=False))
    figures = [out / f"{task.task.name}.{suffix}" for suffix in ("png", "svg") for task in results]
    for task, path in zip([*results, *results], figures, strict=True):
        draw_task(task, path)
    report = report_of(results, runs, reference, settings, out)
    text = write_page("results.md", out, report=report, reading=_READING)
    return [text, out / "runs.csv", *(path for path in figures if path.exists()), *write_report(report, out)]


def report_of(
    results: Sequence[TaskResults], runs: pandas.DataFrame, reference: str, settings: str, out: Path
) -> Report:
    """Return the report of all tasks, a row of `runs` for each run; the figures lie in `out`."""
    counts = Counter(runs["status"])
    sections = [
        _section(task, kind, reference, out)
        for kind in _GROUPS
        for task in results
        if task.reference.planned.data_kind == kind
    ]
    shown = runs.drop(columns=["data_sha256", "error"])
    every_run = Table.of("runs", "Every run; the file has every digit.", shown)
    return Report(
        title=_TITLE,
        question="What does a quantum hidden state buy, against recurrent cells of the same size?",
        facts=_facts(results, out),
        sections=[*sections, Section("How to read it, and every run", [_plain(_READING)], tables=[every_run])],
        unfinished=_unfinished(results),
        settings=settings.strip(),
        complete="Every run that was planned is done.",
        counts=[("runs", len(runs)), *((status, counts[status]) for status in (DONE, FAILED, MISSING))],
    )


def _section(task: TaskResults, kind: str, reference: str, out: Path) -> Section:
    """Return what is said of one task, with table and figure, and the runs behind it."""
    name, svg = task.task.name, out / f"{task.task.name}.svg"
    table = pandas.DataFrame([_cells(cell, task) for cell in task.cells])
    metric = task.metric.replace("_", " ")
    caption = f"Test {metric} of every seed, cell by cell, from the lowest to the highest, and the mean."
    csv = _runs_of(task).to_csv(index=False)
    return Section(
        name,
        [about(task)],
        verdict(task, reference),
        [Table.of(f"{name}_table", "Cell by cell; how to read it stands below.", table)],
        [Picture(name, caption, svg.read_text(), csv)] if svg.exists() else [],
        _GROUPS[kind],
    )


def _facts(results: Sequence[TaskResults], out: Path) -> list[tuple[str, str]]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    envs = [row.env for task in results for row in task.rows if row.status == DONE]
    data = [(task.task.name, task.reference.planned) for task in results]
    return [
        ("written", f"{now} by `{read_study(out).get('command', 'unknown')}`"),
        *origin_of(envs, "runs"),
        *((f"data of {name}", f"{planned.data_kind}, sha256 `{planned.data_sha256}`") for name, planned in data),
    ]


def _runs_of(task: TaskResults) -> pandas.DataFrame:
    return pandas.DataFrame([row.flat() for row in task.rows])


def about(results: TaskResults) -> str:
    """Say what was trained on what, and how its metric is to be read."""
    planned = results.reference.planned
    direction = "lower" if planned.lower_is_better else "higher"
    lines = "; ".join(f"{label}: {value:.4g}" for label, value in results.lines.items())
    return (
        f"Configuration `{planned.task.config}`, {planned.data_kind} data (sha256 `{planned.data_sha256[:12]}`), test "
        f"{planned.metric} ({direction} is better). Wanted of every cell: {planned.target} trained parameters."
        + (f" To compare with: {lines}." if lines else "")
    )


def verdict(results: TaskResults, reference: str) -> list[str]:
    """Say in words where the reference lost, where it was ahead, and what cannot be said."""
    metric = results.metric
    name = reference.upper() if reference == "qrnn" else reference
    compared = [cell for cell in results.cells if cell.comparison is not None]
    worse = sorted((c for c in compared if _advantage(c) > 0), key=_advantage, reverse=True)
    better = sorted((c for c in compared if _advantage(c) < 0), key=_advantage)
    level = [c for c in compared if _advantage(c) == 0]
    if not compared:
        return [f"{name} cannot be compared with anything yet: no two cells have a result with the same seed."]
    sentences = [f"{name} lost to {_by(cell, metric, 'behind')}{_without_reach(results, cell)}." for cell in worse]
    if not worse:
        sentences = [f"No cell was better than {name} here."]
    sentences += [_ahead(results, cell, name) for cell in better]
    sentences += [f"{name} and {cell.planned.cell.name} were level." for cell in level]
    pairs = max(len(cell.comparison.differences) for cell in compared if cell.comparison)
    return [*sentences, *_larger(results, name), _power(pairs)]


def _ahead(results: TaskResults, cell: CellSummary, name: str) -> str:
    """Say by how much the reference is better; ahead is only who has passed what the task is compared with."""
    if missed := _missed(results, cell):
        return (
            f"Neither {name} nor {cell.planned.cell.name} reaches {missed}, so neither is called ahead: {name} was "
            f"better than {_by(cell, results.metric, 'better')}."
        )
    return f"{name} was ahead of {_by(cell, results.metric, 'ahead')}."


def _without_reach(results: TaskResults, cell: CellSummary) -> str:
    missed = _missed(results, cell)
    return f"; neither reaches {missed}" if missed else ""


def _missed(results: TaskResults, cell: CellSummary) -> str:
    """Name the lines that, on average, neither the reference nor a cell has passed."""
    sign = -1 if results.reference.planned.lower_is_better else 1
    best = max(sign * fmean(own.values.values()) for own in (results.reference, cell))
    return " and ".join(f"{label} ({value:.4g})" for label, value in results.lines.items() if best <= sign * value)


def _larger(results: TaskResults, name: str) -> list[str]:
    """Say which cells are matched and yet part of a much larger model: their heads read more."""
    reference = results.reference.planned.counts["total"]
    totals = {cell.planned.cell.name: cell.planned.counts["total"] for cell in results.cells}
    larger = [f"{cell} {total / reference:.1f}" for cell, total in totals.items() if total > _MUCH * reference]
    if not larger:
        return []
    return [f"With embedding and head these are larger than {name}, by a factor of: {', '.join(larger)}."]


def _power(pairs: int) -> str:
    """Say what a paired test over so many seeds could show at all."""
    if pairs == 1:
        return "One seed: there is no spread and no test."
    smallest = smallest_p(pairs)
    limit = ", so it cannot show anything at the 5 % level." if smallest > 0.05 else "."
    return f"With {pairs} paired seeds the signed-rank test cannot give less than p = {smallest:.3g}{limit}"


def _advantage(cell: CellSummary) -> float:
    assert cell.comparison is not None
    return cell.comparison.advantage


def _by(cell: CellSummary, metric: str, word: str) -> str:
    """Name a cell, the difference, and with how many seeds the reference is `word`: behind, better or ahead."""
    comparison = cell.comparison
    assert comparison is not None
    seeds = comparison.seeds_ahead if word == "behind" else comparison.seeds_behind
    return (
        f"{cell.planned.cell.name} by {abs(comparison.mean):.4g} {metric.replace('_', ' ')} "
        f"({word} with {seeds} of {len(comparison.differences)} seeds)"
    )


def _cells(cell: CellSummary, task: TaskResults) -> dict[str, str]:
    """Return one row of the table of a task, by heading."""
    planned, comparison = cell.planned, cell.comparison
    memory = cell.mean("peak_memory_bytes")
    return {
        "cell": planned.cell.name,
        "data": planned.data_kind,
        "width": planned.width.replace("_", " ") or "–",
        "embedding": _number(planned.counts.get("embedding", 0), "d"),
        "cell parameters": _number(planned.counts["cell"], "d"),
        "deviation": "not matched" if planned.deviation is None else f"{100 * planned.deviation:+.1f} %",
        "head": _number(planned.counts["head"], "d"),
        "total": _number(planned.counts["total"], "d"),
        f"{task.metric}, mean ± std": _spread(cell.statistics()),
        "seeds": str(len(cell.values)),
        **{name: _spread(cell.statistics(name)) for name in task.task.further},
        f"difference to {task.reference.planned.cell.name}": _number(comparison.mean if comparison else None, "+.4f"),
        "by seed": ", ".join(f"{value:+.4f}" for value in comparison.differences.values()) if comparison else "–",
        "Cliff's δ": _number(comparison.delta if comparison else None, "+.2f"),
        "p": _number(comparison.p_value if comparison else None, ".3f"),
        "training s": _number(cell.mean("seconds"), ".1f"),
        "inference ms/sample": _number(cell.mean("inference_ms_per_sample"), ".3f"),
        "memory MiB": _number(None if memory is None else memory / 2**20, ".0f"),
    }


def _spread(statistics: tuple[float, float | None] | None) -> str:
    if statistics is None:
        return "–"
    mean, deviation = statistics
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def _unfinished(results: Sequence[TaskResults]) -> list[Unfinished]:
    """Return every run without a result, and every cell that was refused, and why."""
    runs = [
        Unfinished(
            f"{row.planned.task.name}, {row.planned.cell.name}, seed {row.seed}", row.status, row.error or MISSING
        )
        for task in results
        for row in task.rows
        if row.status != DONE
    ]
    return runs + [
        Unfinished(f"{cell.task.name}, {cell.cell.name}", "refused", f"refused before it started: {cell.error}")
        for task in results
        for cell in task.refused
    ]


def _plain(markdown: str) -> str:
    """Return a paragraph without marks of emphasis."""
    return " ".join(markdown.replace("*", "").split())
