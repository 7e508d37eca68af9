"""A study from command to table: whole, broken in every way, half-written, of another version."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from studies.engine import execute, progress
from studies.engine.job import Job
from tests.studies.engine.squares.command import STUDY

# In this process: what is under test is not the processes, and imports take seconds.
HERE = ["--executor", "debug", "--jobs", "1"]


def run(out: Path, *argv: str) -> int:
    return STUDY.main(["--out", str(out), *argv])


def cells(out: Path) -> pandas.DataFrame:
    return pandas.read_csv(out / "cells.csv")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run(out, *HERE) == 0
    return out


def test_every_cell_is_in_the_table_with_what_was_measured(whole: Path) -> None:
    table = cells(whole)
    assert len(table) == 12
    assert set(table["status"]) == {"done"}
    noise = {seed: np.random.default_rng(seed).normal() for seed in (0, 1)}
    for row in table.itertuples():
        square = row.number**2 + noise[row.seed]
        assert row.square == pytest.approx(square if row.kind == "exact" else round(square, 2))
        assert np.load(whole / "cells" / row.folder / "noise.npz")["noise"][0] == noise[row.seed]
    assert (table["root.a"] == 0.5).all()
    assert {path.name for path in whole.iterdir()} >= {"squares.svg", "squares.csv", "report.html", "report.md"}


def test_what_is_done_is_not_done_again(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (whole / "cells.csv").read_bytes()
    monkeypatch.setattr(execute, "work_here", None)  # nothing may be carried out
    assert run(whole, *HERE) == 0
    assert (whole / "cells.csv").read_bytes() == before
    # Part of the grid, and only that, is in the table; nothing is lost.
    assert run(whole, *HERE, "--number", "2", "--seeds", "1") == 0
    assert len(cells(whole)) == 2
    assert len(list(whole.glob("cells/*/result.json"))) == 12
    assert run(whole, *HERE) == 0


def test_an_interrupted_study_says_what_is_missing_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = progress._line

    def interrupt(job: Job, number: int, total: int, left: str) -> str:
        if number == 5:
            raise KeyboardInterrupt
        return line(job, number, total, left)

    with monkeypatch.context() as patch:
        patch.setattr(progress, "_line", interrupt)
        assert run(tmp_path, *HERE) == 130
    assert list(cells(tmp_path)["status"]) == ["done"] * 5 + ["missing"] * 7
    assert "- missing: 7" in (tmp_path / "report.md").read_text()
    assert run(tmp_path, *HERE, "--report-only") == 1
    assert run(tmp_path, *HERE) == 0
    assert set(cells(tmp_path)["status"]) == {"done"}


@pytest.mark.timeout(300)  # processes of its own, and a busy machine
def test_everything_that_goes_wrong_is_recorded_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With processes of their own: two at a time, one of them ended by the system, one by each limit."""
    moods = ["well", "refuses", "breaks", "dies", "full", "mumbles", "swells", "sleeps"]
    argv = ["--number", "2", "3", "2000", "--kind", "exact", "--seeds", "0", "--mood", *moods]
    limits = ["--limit-seconds", "8", "--limit-memory-gib", "0.5"]
    assert run(tmp_path, "--jobs", "2", *argv, *limits) == 1
    told = capsys.readouterr()
    assert "not every cell has a result (3 failed)" in told.err
    assert "number 3, mood breaks, seed 0" in told.out
    table = cells(tmp_path)
    assert list(table[table["number"] == 2]["status"]) == ["done"]
    assert list(table[table["number"] == 2000]["error"]) == [
        "not started: it is expected to take 20 s; the limit is 8 s (limits.seconds)."
    ]
    found = table[table["number"] == 3].set_index("mood")[["status", "error"]]
    assert found["status"].to_dict() == {
        "well": "done",
        "refuses": "failed",
        "breaks": "failed",
        "dies": "failed",
        **dict.fromkeys(["full", "mumbles", "swells", "sleeps"], "over_budget"),
    }
    assert found.error["refuses"] == "squares: three is refused, says the measurement."
    assert found.error["breaks"] == "ZeroDivisionError: three broke"
    assert "ended by signal 9" in found.error["dies"]
    assert found.error["full"] == "three does not fit."
    assert "not enough memory" in found.error["mumbles"]
    assert "the limit is 512.0 MiB (limits.memory_gib)" in found.error["swells"]
    assert "the limit is 8 s (limits.seconds)" in found.error["sleeps"]
    report = (tmp_path / "report.md").read_text()
    assert "- over budget: 5" in report
    assert "| number 3, mood breaks, seed 0 | failed | ZeroDivisionError: three broke |" in report


def test_over_budget_is_tried_again_only_under_a_higher_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [*HERE, "--number", "3", "--kind", "exact", "--seeds", "0", "--mood", "full"]
    assert run(tmp_path, *few, "--limit-seconds", "5") == 0
    assert list(cells(tmp_path)["status"]) == ["over_budget"]
    with monkeypatch.context() as patch:
        patch.setattr(execute, "work_here", None)
        assert run(tmp_path, *few, "--limit-seconds", "5") == 0
        assert run(tmp_path, *few, "--limit-seconds", "4") == 0
    monkeypatch.setattr("tests.studies.engine.squares.measure.misbehave", lambda mood: None)
    assert run(tmp_path, *few, "--limit-seconds", "6") == 0
    assert list(cells(tmp_path)["status"]) == ["done"]


def test_a_half_written_result_is_put_aside_and_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [*HERE, "--number", "1", "2", "--kind", "exact", "--seeds", "0"]
    assert run(tmp_path, *few) == 0
    before = cells(tmp_path)
    broken = next(tmp_path.glob("cells/*/result.json"))
    broken.write_text(broken.read_text()[:40])
    assert run(tmp_path, *few, "--report-only") == 1
    assert "cannot be read" in cells(tmp_path).set_index("folder").error[broken.parent.name]
    assert broken.exists()
    capsys.readouterr()
    assert run(tmp_path, *few) == 0
    assert f"{broken} could not be read" in capsys.readouterr().out
    assert broken.with_name("result.json.unreadable").exists()
    assert list(cells(tmp_path)["square"]) == list(before["square"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 99, "tnqrnn": "7.0"}, "in format 99, written by tnqrnn 7.0; this version knows format 1"),
        ({"version": 0}, "holds results of the study squares, version 0; this is squares, version 1"),
        ({"study": "scaling"}, "holds results of the study scaling"),
        (None, "study.json cannot be read"),
    ],
)
def test_a_folder_of_another_version_is_refused_and_left_alone(
    change: dict[str, object] | None, told: str, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = whole / "study.json"
    good = path.read_text()
    path.write_text(good[:50] if change is None else json.dumps({**json.loads(good), **change}))
    before = {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()}
    try:
        assert run(whole, *HERE) == 2
        refusal = capsys.readouterr().err
        assert told in refusal
        assert len(refusal.splitlines()) == 1
        assert {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()} == before
    finally:
        path.write_text(good)


def test_a_report_is_written_again_from_the_folder_alone(whole: Path) -> None:
    before = {name: (whole / name).read_bytes() for name in ("cells.csv", "report.html", "report.md", "squares.svg")}
    for name in before:
        (whole / name).unlink()
    STUDY.write_again(whole)
    assert {name: (whole / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(("executor", "jobs", "given", "each"), [
    ("local", 1, 1, 1),  # OMP_NUM_THREADS=1 on eight cores
    ("local", 2, 8, 4),
    ("local", 16, 8, 1),
    ("debug", 2, 8, 8),  # in this very process, which has them all
    ("slurm", 1, 8, 1),
])  # fmt: skip
def test_threads_are_shares_of_those_that_torch_was_given(
    executor: str, jobs: int, given: int, each: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "available_cores", lambda: 8)
    monkeypatch.setattr("torch.get_num_threads", lambda: given)
    assert execute.Execution(tmp_path, jobs, executor).threads_each == each


def test_what_is_said_of_threads_is_what_the_cells_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tests run on one thread, as with OMP_NUM_THREADS=1."""
    assert run(tmp_path, *HERE, "--number", "3", "--kind", "exact", "--seeds", "0") == 0
    assert "1 at a time, each on 1 thread (" in capsys.readouterr().out
    [result] = tmp_path.glob("cells/*/result.json")
    assert json.loads(result.read_text())["env"]["threads"] == 1


def test_a_dry_run_says_what_it_will_cost_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [str(number) for number in range(1, 101)]
    assert run(tmp_path / "out", "--dry-run", "--jobs", "2", "--number", *numbers, "--kind", "exact") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "200 cells: 0 done, 200 to do, 0 over budget before they start." in told
    assert "Expected: 1.7 core minutes, 0.8 minutes with 2 at a time; at most 97.7 KiB for a cell" in told
    assert "... 160 more ..." in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--nomber", "3"], "there is no option '--nomber'. Did you mean '--number'?"),
        (["--number"], "number has no values"),
        (["--number", "three"], "number must be like 1 or 2 or 3, got 'three'"),
        (["--jobs", "0"], "--jobs must be an integer of at least 1"),
        (["--executor", "locl"], "unknown executor 'locl'. Did you mean 'local'?"),
        (["--seeds", "x"], "seeds must be integers of at least 0, got 'x'"),
        (["--limit-seconds", "-1"], "limits.seconds must be a number in (0, infinity)"),
        (["--conf", "nothing.yaml"], "there is no file nothing.yaml"),
        (["--out", f"{__file__}/here"], "cannot write into"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    argv: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "out", *argv) == 2
    refusal = capsys.readouterr().err
    assert told in refusal
    assert len(refusal.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_slurm_is_refused_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(tmp_path / "out", "--executor", "slurm") == 2
    assert "needs SLURM's sbatch, which is not on the PATH" in capsys.readouterr().err


def test_two_commands_do_not_share_a_folder(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (whole / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run(whole, *HERE) == 2
    assert "another process is at work" in capsys.readouterr().err
