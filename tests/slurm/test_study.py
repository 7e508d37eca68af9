"""A study as a SLURM array: workers that lose their nodes come back, a cell that fails is named, the table is whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas
import pytest

from tests.slurm.onebox import OneBox, wait_until
from tests.studies.engine.squares.command import STUDY

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

# fmt: off
EIGHT_CELLS = ["--number", "1", "2", "3", "4", "5", "6", "7", "8", "--kind", "exact", "--seeds", "0", "--pause", "3",
               "--mood", "breaks", "--jobs", "2", "--executor", "slurm"]
# fmt: on


def under_way(out: Path) -> set[str]:
    """Return the cells that were begun and are not settled."""
    cells = [began.parent for began in out.glob("cells/*/.began")]
    return {cell.name for cell in cells if not ((cell / "result.json").exists() or (cell / "failure.json").exists())}


def test_two_preempted_and_one_failing(onebox: OneBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_CONF", "PATH", "PYTHONPATH"):
        monkeypatch.setenv(name, onebox.environment[name])
    out = tmp_path / "study"
    with ThreadPoolExecutor(1) as pool:
        study = pool.submit(STUDY.main, [*EIGHT_CELLS, "--out", str(out)])
        wait_until(lambda: len(under_way(out)) == 2 or study.done(), 400, "two cells under way")
        preempted = under_way(out)
        assert len(preempted) == 2
        workers = onebox.run(["squeue", "--noheader", "--array", "--format=%i", "--states=RUNNING"]).split()
        assert len(workers) == 2
        for worker in workers:
            onebox.run(["scancel", "--signal=USR2", worker])
        for worker in workers:
            wait_until(lambda worker=worker: onebox.state(worker) == "PENDING", 120, f"{worker} to be requeued")
            onebox.start_now(worker)
        assert study.result(timeout=400) == 1  # because of the cell that failed
    table = pandas.read_csv(out / "cells.csv").set_index("number")
    assert list(table.index) == list(range(1, 9))
    assert list(table["status"]) == ["done"] * 2 + ["failed"] + ["done"] * 5
    assert table.loc[3, "error"] == "ZeroDivisionError: three broke"
    assert not under_way(out)
    assert "three broke" in (out / "report.md").read_text()
    wait_until(lambda: not onebox.run(["squeue", "--noheader"]).strip(), 60, "the queue to be empty")


def test_what_slurm_does_not_take_is_refused(
    onebox: OneBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, onebox.environment[name])
    asked = [*EIGHT_CELLS, "--slurm", "partition=nowhere", "--out", str(tmp_path)]
    assert STUDY.main(asked) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("study: SLURM does not take the jobs (sbatch: error: ")
    assert told.endswith("see --slurm.")
