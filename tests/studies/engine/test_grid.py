"""What a grid is, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.errors import InvalidInput
from studies.engine.grid import Grid
from studies.engine.plan import Plan
from tests.studies.engine.squares.command import STUDY

WHO = "study squares"


def grid(text: str, folder: Path) -> Grid:
    path = folder / "grid.yaml"
    path.write_text(text)
    return Grid.read(WHO, path, STUDY.conf)


def planned(text: str, folder: Path) -> Plan:
    return Plan.of(STUDY, grid(text, folder), folder / "out", 1)


def test_every_combination_becomes_a_cell_once(tmp_path: Path) -> None:
    plan = planned("axes: {number: [2, 1, 1], kind: [exact, rounded], digits: [2, 3]}\nseeds: [4, 0]", tmp_path)
    found = [
        (cell.seed, cell.settings["number"], cell.settings["kind"], cell.settings["digits"]) for cell in plan.cells
    ]
    # Seed by seed, the cheap ones first; an exact square needs no digits, so it is one cell.
    kinds = [("exact", None), ("rounded", 2), ("rounded", 3)]
    assert found == [(seed, number, *kind) for seed in (4, 0) for number in (1, 2) for kind in kinds]
    assert len({cell.directory.path for cell in plan.cells}) == len(plan.cells)


def test_what_the_file_leaves_out_is_as_shipped_and_the_command_line_wins(tmp_path: Path) -> None:
    read = grid("axes: {number: [5]}\nlimits: {seconds: 7}", tmp_path)
    assert read.values["kind"] == ["exact", "rounded"]
    assert read.seeds == [0, 1]
    assert read.seconds == 7
    changed = read.override({"digits": ["3", "4"], "pause": ["1e-3"], "mood": ["well"]}, ["7"])
    assert changed.values["digits"] == [3, 4]
    assert changed.values["pause"] == [0.001]
    assert changed.seeds == [7]


def test_a_folder_depends_on_every_setting_and_on_nothing_else(tmp_path: Path) -> None:
    def names(text: str) -> list[str]:
        return [cell.directory.path.name for cell in planned(text, tmp_path).cells]

    one = names("axes: {number: [1]}\nfixed: {kind: exact}\nseeds: [0]")
    assert one == names("axes: {kind: [exact]}\nfixed: {number: 1}\nseeds: [0]\nlimits: {seconds: 1}")
    assert one != names("axes: {number: [1]}\nfixed: {kind: exact, pause: 0.5}\nseeds: [0]")


def test_a_grid_is_written_as_it_was_read(tmp_path: Path) -> None:
    read = grid("axes: {number: [5, 6]}\nfixed: {kind: exact}\nseeds: [3]\nlimits: {memory_gib: 1}", tmp_path)
    again = Grid.from_yaml(WHO, read.as_yaml(), "here", STUDY.conf)
    assert list(again.combinations()) == list(read.combinations())
    assert (again.seeds, again.seconds, again.memory_gib) == (read.seeds, read.seconds, read.memory_gib)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("axes: {nomber: [1]}", "unknown entry 'nomber'. Did you mean 'number'\\?"),
        ("axis: {number: [1]}", "unknown entry 'axis'. Did you mean 'axes'\\?"),
        ("axes: {number: []}", "number has no values, so there is nothing to measure"),
        ("axes: {number: [0]}", "none of the combinations can be measured"),
        ("axes: {number: [1]}\nseeds: []", "seeds has no values"),
        ("axes: {number: [1]}\nseeds: 3", "seeds must be a list of integers"),
        ("axes: {number: [1]}\nseeds: [-1]", "seeds must be integers of at least 0, got -1"),
        ("axes: {number: 1}", "axes.number must be a list such as \\[1, 2\\], got 1"),
        ("axes: {number: [one]}", "number must be like 1 or 2 or 3, got 'one'"),
        ("axes: {number: [1.5]}", "number must be like 1 or 2 or 3, got 1.5"),
        ("axes: {pause: [.nan]}", "pause must be finite"),
        ("axes: {number: [1]}\nfixed: {number: 2}", "number stands under axes and under fixed"),
        ("axes: {number: [-5]}", "number must be at least 0, got -5"),
        ("limits: {seconds: 0}", "limits.seconds must be a number in \\(0, infinity\\), got 0"),
        ("limits: {minutes: 3}", "limits has an unknown entry 'minutes'"),
        ("axes: [1, 2]", "axes in .* must hold values by name"),
        ("axes: {number: [1, 2", "is not valid YAML"),
        ("", "must hold settings by name"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=told):
        planned(text, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_million_cells_are_refused_before_they_are_counted_out(tmp_path: Path) -> None:
    numbers = ", ".join(str(number) for number in range(1, 501))
    text = f"axes: {{number: [{numbers}], digits: [{numbers}]}}\nseeds: [0, 1]"
    with pytest.raises(InvalidInput, match=r"1,000,000 cells, and limits\.cells is 10,000; give fewer"):
        planned(text, tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is no file .*nothing.yaml; leave out --conf"):
        Grid.read(WHO, tmp_path / "nothing.yaml", STUDY.conf)
