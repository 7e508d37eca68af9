"""Why a run failed: one small file per failure, kept beside the runs until the run is tried again."""

from __future__ import annotations

import json
from pathlib import Path

from studies.tasks.plan import PlannedRun


def failure_file(out: Path, run: PlannedRun) -> Path:
    """Return where the failure of a run is recorded. The hash in the name ties it to the settings it failed with."""
    return out / "failures" / f"{run.of.cell.name}-{run.directory.path.name}.json"


def read_failure(out: Path, run: PlannedRun) -> str | None:
    """Return the sentence a run failed with, or None if it did not fail."""
    path = failure_file(out, run)
    if run.directory.is_done() or not path.exists():
        return None
    return str(json.loads(path.read_text())["error"])
