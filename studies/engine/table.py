"""The table of a study: one row per cell, also of those without a result. It reads the folder and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from studies.engine.job import DONE, MISSING, read_failure

if TYPE_CHECKING:
    from studies.engine.plan import Cell


def read_result(path: Path) -> dict[str, Any] | None:
    """Return the content of a result.json; None if it is not there or cannot be read."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and {"settings", "values"} <= set(content) else None


def table_of(cells: Sequence[Cell]) -> pandas.DataFrame:
    """Return settings, seed, status, error, seconds, threads, folder and the measured values of every cell.

    A value within a value becomes a column with a dot in its name. `folder` is that of the cell, for its arrays.
    """
    return pandas.DataFrame([_row(cell) for cell in cells])


def in_file(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the columns that a CSV can have: scalars, and the folder by its name; lists stay in the cells' files."""
    scalars = [name for name in table.columns if not table[name].map(lambda value: isinstance(value, list)).any()]
    return table[scalars].assign(folder=[Path(folder).name for folder in table["folder"]])


def _row(cell: Cell) -> dict[str, Any]:
    path = cell.directory.path
    row = {**cell.settings, "seed": cell.seed}
    result = read_result(cell.directory.result)
    if result is not None:
        threads = result.get("env", {}).get("threads")
        fixed = {"status": DONE, "error": None, "seconds": result["seconds"], "threads": threads, "folder": str(path)}
        return {**row, **fixed, **_flat(result["values"])}
    failure = read_failure(path / "failure.json")
    missing = "its result.json cannot be read; the same command measures it again."
    if not cell.directory.result.exists():
        missing = "it was not measured yet."
    status, error = (failure.status, failure.error) if failure else (MISSING, missing)
    return {**row, "status": status, "error": error, "seconds": None, "threads": None, "folder": str(path)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
