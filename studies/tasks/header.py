"""The head of a report: what was run where, with what, and how its numbers are to be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from studies.tasks.results import RunRow, TaskResults

READING = """\
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


def header(results: Sequence[TaskResults], command: str, now: str) -> list[str]:
    """Return title, provenance and reading instructions as paragraphs of Markdown."""
    rows = [row for task in results for row in task.rows]
    done = [row for row in rows if row.status == "done"]
    refused = sum(len(task.refused) for task in results)
    counted = (
        f"- {len(rows)} runs planned: {len(done)} done, {sum(row.status == 'failed' for row in rows)} failed, "
        f"{sum(row.status == 'missing' for row in rows)} missing; cells refused: {refused}"
    )
    listed = [f"- {name}: {value}" for name, value in facts(results, command, now)]
    return ["# Every task with every cell at equal parameter counts", "\n".join([counted, *listed]), READING]


def facts(results: Sequence[TaskResults], command: str, now: str) -> list[tuple[str, str]]:
    """Return where the numbers come from, by name."""
    done = [row for task in results for row in task.rows if row.status == "done"]
    data = [(task.task.name, task.reference.planned) for task in results]
    return [
        ("written", f"{now} by `{command}`"),
        *((name, _values(done, name)) for name in ("commit", "python", "platform", "device", "threads")),
        ("versions", _versions(done)),
        *((f"data of {name}", f"{planned.data_kind}, sha256 `{planned.data_sha256}`") for name, planned in data),
    ]


def _values(rows: Sequence[RunRow], name: str) -> str:
    """Return the value in the runs' env.json; if they differ, every value with its number of runs."""
    counts = Counter(json.dumps(row.env.get(name)) for row in rows)
    texts = {value: str(json.loads(value)) for value in counts}
    if len(counts) <= 1:
        return next(iter(texts.values()), "unknown")
    return "differs: " + "; ".join(f"{texts[value]} ({count} runs)" for value, count in counts.most_common())


def _versions(rows: Sequence[RunRow]) -> str:
    found: dict[str, set[str]] = {}
    for row in rows:
        packages: Mapping[str, Any] = row.env.get("packages", {})
        for package, version in packages.items():
            found.setdefault(package, set()).add(str(version))
    return ", ".join(f"{package} {' / '.join(sorted(versions))}" for package, versions in found.items()) or "unknown"
