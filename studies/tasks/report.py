"""The report of a study: results.md for people, runs.csv for programs, a figure per task.

Tasks on real and on synthetic data stand apart, and no number is taken over several tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pandas

from lightning_modules.runs.run_directory import write_atomically
from studies.tasks.figures import draw_task
from studies.tasks.header import header
from studies.tasks.results import CellSummary, TaskResults
from studies.tasks.statistics import smallest_p

_MUCH = 1.2
HEADINGS = {"real": "Real data", "synthetic": "Synthetic data"}


def write_report(
    results: Sequence[TaskResults], reference: str, command: str, now: str, settings: str, out: Path
) -> list[Path]:
    """Write results.md, runs.csv and the figures into `out`, and return their paths.

    `command` is what was asked for, `settings` the YAML of the study.
    """
    out.mkdir(parents=True, exist_ok=True)
    table = pandas.DataFrame([row.flat() for task in results for row in task.rows])
    write_atomically(out / "runs.csv", table.to_csv(index=False))
    figures = [out / f"{task.task.name}.{suffix}" for suffix in ("png", "svg") for task in results]
    for task, path in zip([*results, *results], figures, strict=True):
        draw_task(task, path)
    parts = [*header(results, command, now), *_body(results, reference), *_unfinished(results), *_settings(settings)]
    write_atomically(out / "results.md", "\n\n".join(parts) + "\n")
    return [out / "results.md", out / "runs.csv", *(path for path in figures if path.exists())]


def _body(results: Sequence[TaskResults], reference: str) -> list[str]:
    parts = []
    for kind, heading in HEADINGS.items():
        tasks = [task for task in results if task.reference.planned.data_kind == kind]
        if tasks:
            parts += [f"## {heading}", *(part for task in tasks for part in task_section(task, reference))]
    return parts


def task_section(results: TaskResults, reference: str) -> list[str]:
    """Return heading, table, sentences and figure of one task."""
    planned = results.reference.planned
    sentences = verdict(results, reference)
    return [
        f"### {planned.task.name}",
        about(results),
        _table(results),
        "\n".join(f"- {sentence}" for sentence in sentences),
        f"![{planned.task.name}: test {planned.metric} of every seed, cell by cell]({planned.task.name}.png)",
    ]


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


def _table(results: TaskResults) -> str:
    headings, rows = table_of(results)
    left = {"cell", "data", "width", "by seed"}
    rule = [":--" if heading in left else "--:" for heading in headings]
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, rule, *rows))


def table_of(results: TaskResults) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the table of one task."""
    further = list(results.task.further)
    reference = results.reference.planned.cell.name
    headings = [
        "cell", "data", "width", "embedding", "cell parameters", "deviation", "head", "total",
        f"{results.metric}, mean ± std", "seeds", *further, f"difference to {reference}", "by seed", "Cliff's δ", "p",
        "training s", "inference ms/sample", "memory MiB",
    ]  # fmt: skip
    return headings, [_cells(cell, further) for cell in results.cells]


def _cells(cell: CellSummary, further: Sequence[str]) -> list[str]:
    planned, comparison = cell.planned, cell.comparison
    memory = cell.mean("peak_memory_bytes")
    return [
        planned.cell.name,
        planned.data_kind,
        planned.width.replace("_", " ") or "–",
        _number(planned.counts.get("embedding", 0), "d"),
        _number(planned.counts["cell"], "d"),
        "not matched" if planned.deviation is None else f"{100 * planned.deviation:+.1f} %",
        _number(planned.counts["head"], "d"),
        _number(planned.counts["total"], "d"),
        _spread(cell.statistics()),
        str(len(cell.values)),
        *(_spread(cell.statistics(name)) for name in further),
        _number(comparison.mean if comparison else None, "+.4f"),
        ", ".join(f"{difference:+.4f}" for difference in comparison.differences.values()) if comparison else "–",
        _number(comparison.delta if comparison else None, "+.2f"),
        _number(comparison.p_value if comparison else None, ".3f"),
        _number(cell.mean("seconds"), ".1f"),
        _number(cell.mean("inference_ms_per_sample"), ".3f"),
        _number(None if memory is None else memory / 2**20, ".0f"),
    ]


def _spread(statistics: tuple[float, float | None] | None) -> str:
    if statistics is None:
        return "–"
    mean, deviation = statistics
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def unfinished(results: Sequence[TaskResults]) -> list[tuple[str, str, str]]:
    """Return every run without a result: what it is, its status, and why."""
    lines = [
        (f"{row.planned.task.name}, {row.planned.cell.name}, seed {row.seed}", row.status, row.error or "missing")
        for task in results
        for row in task.rows
        if row.status != "done"
    ]
    return lines + [
        (f"{refused.task.name}, {refused.cell.name}", "refused", f"refused before it started: {refused.error}")
        for task in results
        for refused in task.refused
    ]


def _unfinished(results: Sequence[TaskResults]) -> list[str]:
    """List every run without a result, and why."""
    lines = [f"- {what}: {why}" for what, _, why in unfinished(results)]
    return ["## Runs without a result", "\n".join(lines) if lines else "None: every run that was planned is done."]


def _settings(settings: str) -> list[str]:
    return ["## Settings of the study", f"```yaml\n{settings.strip()}\n```"]
