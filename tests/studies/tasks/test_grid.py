"""What the study is asked to run: the shipped settings, selections, and requests that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from backends.errors import InvalidInput
from lightning_modules.cli.command_line import find_config, read_config
from lightning_modules.tasks.registry import TASKS
from studies.tasks.grid import Grid
from studies.tasks.study import STUDY
from tnqrnn.__main__ import main
from tnqrnn.cells import CELLS

MINIMAL = {"seeds": [0], "tasks": {"digits": None}, "cells": {"qrnn": None}}


def test_the_shipped_grid_has_every_task_and_every_cell() -> None:
    grid = Grid.read(STUDY.conf)
    # MNIST has to be downloaded first, and the study is to run anywhere.
    assert {read_config(find_config(task.config))["task"] for task in grid.tasks.values()} == set(TASKS) - {"mnist"}
    assert {cell.cell for cell in grid.cells.values()} == set(CELLS)
    assert len(grid.seeds) >= 3


def test_a_selection_keeps_the_reference_and_the_order() -> None:
    grid = Grid.read(STUDY.conf).select(["copying", "digits"], ["lstm"], ["7", "8"])
    assert list(grid.tasks) == ["digits", "copying"]
    assert list(grid.cells) == ["qrnn", "lstm"]
    assert grid.seeds == [7, 8]
    assert set(grid.every_cell) == set(Grid.read(STUDY.conf).cells)


def test_the_more_special_setting_wins(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    task = {
        "settings": {"trainer.max_epochs": 3, "model.learning_rate": 0.1},
        "cells": {"gru": {"model.learning_rate": 0.3}},
    }
    cells = {"qrnn": None, "gru": {"settings": {"model.learning_rate": 0.2, "model.dropout": 0.5}}}
    path.write_text(yaml.safe_dump({"seeds": [0], "tasks": {"digits": task}, "cells": cells}))
    grid = Grid.read(path)
    assert grid.settings(grid.tasks["digits"], grid.cells["gru"]) == {
        "trainer.max_epochs": 3,
        "model.learning_rate": 0.3,
        "model.dropout": 0.5,
        "model.cell": "gru",
    }


@pytest.mark.parametrize(
    ("changes", "mentions"),
    [
        ({"tasks": {}}, "there are no tasks"),
        ({"cells": {}}, "there are no cells"),
        ({"seeds": []}, "there are no seeds"),
        ({"seeds": 3}, "a list of integers"),
        ({"seeds": [0, 1.5]}, "got 1.5"),
        ({"seeds": [True]}, "got True"),
        ({"seed": [0]}, "Did you mean 'seeds'?"),
        ({"tasks": {"digit": None}}, "Did you mean 'digits'?"),
        ({"tasks": {"digits": {"setting": {}}}}, "Did you mean 'settings'?"),
        ({"tasks": {"digits": {"settings": 3}}}, "settings must hold values by name"),
        ({"tasks": {"digits": {"cells": {"qrn": {}}}}}, "Did you mean 'qrnn'?"),
        ({"tasks": {"digits": {"parameters": 0}}}, "parameters must be an integer"),
        ({"tasks": {"digits": {"further": "loss"}}}, "further must be a list"),
        ({"cells": {"qrnn": None, "lstn": None}}, "Did you mean 'lstm'?"),
        ({"cells": {"gru": None}}, "reference cell 'qrnn'"),
        ({"tolerance": 2}, "tolerance must be a number"),
    ],
)
def test_a_grid_that_cannot_be_meant(changes: dict[str, object], mentions: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**MINIMAL, **changes}))
    with pytest.raises(InvalidInput) as refusal:
        Grid.read(path)
    assert mentions in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["task"], "Did you mean 'tasks'?"),
        (["tasks", "--tasks", "digit"], "Did you mean 'digits'?"),
        (["tasks", "--cells", "lstmm"], "Did you mean 'lstm'?"),
        (["tasks", "--seeds", "0", "one"], "got 'one'"),
        (["tasks", "--seeds", "-1"], "--seeds"),
        (["tasks", "--jobs", "0"], "--jobs"),
        (["tasks", "--conf", "nowhere.yaml"], "nowhere.yaml"),
        (["tasks", "--out", "/dev/null/nowhere"], "--out"),
        (["tasks", "--cell", "lstm"], "--cell"),
    ],
)
def test_wrong_requests_end_with_one_sentence(
    arguments: list[str], mentions: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *arguments]) == 2
    told = capsys.readouterr().err.strip()
    assert mentions in told
    assert "\n" not in told


def test_studies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study"]) == 0
    assert "tasks" in capsys.readouterr().out
