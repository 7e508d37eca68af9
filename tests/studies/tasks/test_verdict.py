"""What a report of tasks says of a cell against the reference, and the closer look of its figure."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studies.tasks.figures import draw_task, near_the_reference
from studies.tasks.report import verdict
from studies.tasks.results import CellSummary, TaskResults
from studies.tasks.statistics import compare


def results(
    values: dict[str, list[float]], lines: dict[str, float] | None = None, *, lower_is_better: bool = False
) -> TaskResults:
    """Return results of cells by name, the reference first, one value per seed."""
    by_cell = {name: dict(enumerate(own)) for name, own in values.items()}
    reference = next(iter(by_cell.values()))
    cells = []
    for name, own in by_cell.items():
        planned: Any = SimpleNamespace(
            cell=SimpleNamespace(name=name), lower_is_better=lower_is_better, counts={"total": 100},
            metric="accuracy", data_kind="synthetic",
        )  # fmt: skip
        rows: Any = [SimpleNamespace(seed=seed, value=value) for seed, value in own.items()]
        comparison = None if own is reference else compare(own, reference, lower_is_better=lower_is_better)
        cells.append(CellSummary(planned, rows, comparison))
    task: Any = SimpleNamespace(name="made_up")
    return TaskResults(task, cells, [], lines or {})


def test_who_stays_below_the_memoryless_line_is_not_ahead() -> None:
    told = verdict(results({"qrnn": [0.10, 0.12], "gru": [0.08, 0.10]}, {"memoryless": 0.125}), "qrnn")
    assert told[1] == (
        "Neither QRNN nor gru reaches memoryless (0.125), so neither is called ahead: QRNN was better than gru by 0.02 "
        "accuracy (better with 2 of 2 seeds)."
    )
    told = verdict(results({"qrnn": [0.08, 0.10], "gru": [0.10, 0.12]}, {"memoryless": 0.125}), "qrnn")
    assert (
        told[0] == "QRNN lost to gru by 0.02 accuracy (behind with 2 of 2 seeds); neither reaches memoryless (0.125)."
    )


def test_one_of_two_beyond_the_line_is_ahead() -> None:
    told = verdict(results({"qrnn": [0.2, 0.3], "gru": [0.1, 0.1]}, {"memoryless": 0.125}), "qrnn")
    assert told[1] == "QRNN was ahead of gru by 0.15 accuracy (ahead with 2 of 2 seeds)."


def test_lower_is_better_turns_the_line_round() -> None:
    """Perplexities of 80 and 90 lie behind a bigram's 72 and beyond a unigram's 146."""
    lines = {"unigram": 146.0, "bigram": 72.0}
    told = verdict(results({"qrnn": [80.0], "gru": [90.0]}, lines, lower_is_better=True), "qrnn")
    assert told[1].startswith("Neither QRNN nor gru reaches bigram (72), so neither is called ahead: QRNN was better")


def test_the_closer_look_holds_what_is_near_and_not_what_is_far() -> None:
    """Half of the four others are near, within 0.94 to 0.98: 0.04 wide, and 6 % of it beyond either end."""
    found = near_the_reference(
        results({"qrnn": [0.95, 0.96], "a": [0.94, 0.96], "b": [0.97, 0.98], "c": [0.1, 0.2], "d": [0.5, 0.5]})
    )
    assert found == pytest.approx((0.94 - 0.0024, 0.98 + 0.0024))
    # What fills the axis anyhow is not shown twice.
    assert near_the_reference(results({"qrnn": [0.2], "a": [0.9], "b": [0.1], "c": [0.8]})) is None
    assert near_the_reference(results({"qrnn": [], "a": [0.9], "b": [0.1]})) is None
    assert near_the_reference(results({"qrnn": [0.5, 0.5], "a": [0.5, 0.5], "b": [0.5, 0.5]})) is None


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5], [0.4, 0.6]])
def test_a_figure_is_drawn_of_whatever_there_is(
    values: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "made_up.svg"
    draw_task(results({"qrnn": values, "a": [0.4, 0.41], "b": [], "c": [0.9, 0.9]}, {"chance": 0.1}), path)
    assert capsys.readouterr().err == ""
    drawn = path.read_text()
    assert f"qrnn ({len(values)} seed{'' if len(values) == 1 else 's'})" in drawn
    assert "no result" in drawn
