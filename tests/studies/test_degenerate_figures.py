"""A figure never ends a study: every figure of every study is drawn from data that say nothing."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import scale

from tests.studies.conftest import STUDIES
from tnqrnn.__main__ import main

Studied = Callable[[str], Path]
MEASURED = {"all one": 1.0, "all zero": 0.0, "no numbers": float("nan"), "infinite": float("inf")}


def filled(content: Any, value: float) -> Any:
    """Return measured values with every number replaced."""
    if isinstance(content, dict):
        return {name: filled(item, value) for name, item in content.items()}
    if isinstance(content, list):
        return [filled(item, value) for item in content]
    return value if isinstance(content, float) else content


def overwrite(folder: Path, value: float) -> None:
    """Replace every number that a study measured; sizes and counts stay."""
    for path in folder.rglob("result.json"):
        path.write_text(json.dumps(filled(json.loads(path.read_text()), value)))
    for path in folder.rglob("arrays.npz"):
        arrays = {name: np.full_like(a, value) if a.dtype.kind == "f" else a for name, a in np.load(path).items()}
        np.savez(path, **arrays)
    for path in folder.rglob("epochs.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(filled(line, value)) + "\n" for line in lines))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("value", MEASURED.values(), ids=MEASURED)
@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_is_drawn_whatever_was_measured(
    name: str, value: float, studied: Studied, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(studied(name), tmp_path / name)
    expected = {path.name for path in folder.glob("*.svg")}
    for path in folder.glob("*.svg"):
        path.unlink()
    overwrite(folder, value)
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    assert "could not be drawn" not in capsys.readouterr().err
    drawn = {path.name for path in folder.glob("*.svg")}
    # Where there are no numbers at all, there may be nothing to draw.
    assert drawn == expected if math.isfinite(value) else drawn <= expected


@pytest.mark.parametrize("name", ["gradients", "scaling", "truncation"])  # with logarithmic axes of sizes
def test_the_last_digit_of_the_processor_ends_no_figure(
    name: str, studied: Studied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Matplotlib takes limits to logarithms and back; on some processors 2^log2(3) is the number just below 3."""
    folder = shutil.copytree(studied(name), tmp_path / name)
    exactly = scale.InvertedLogTransform.transform_non_affine

    def nearly(self: Any, values: Any) -> Any:
        return np.nextafter(exactly(self, values), -np.inf)

    monkeypatch.setattr(scale.InvertedLogTransform, "transform_non_affine", nearly)
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    assert "could not be drawn" not in capsys.readouterr().err


def test_figures_that_cannot_be_made_cost_no_table(
    studied: Studied, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(studied("gradients"), tmp_path / "gradients")
    for path in folder.rglob("arrays.npz"):
        path.unlink()
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("the figures of study gradients could not be drawn (FileNotFoundError: ")
    assert "variance" in (folder / "cells.csv").read_text()
    assert (folder / "report.html").is_file()
