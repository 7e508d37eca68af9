"""What the figures of the studies share: tables of arrays, lines over seeds, and an album's figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

from studies.plots import Album, long_table, mean_over


def test_an_array_becomes_a_row_per_number() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3) / 10
    table = long_table(values, "error", max_bond=[1, "exact"], timestep=range(1, 4))
    assert list(table.columns) == ["max_bond", "timestep", "error"]
    assert list(table.iloc[4]) == ["exact", 2, float(np.float32(0.4))]
    assert table["error"].dtype == np.float64


def test_one_seed_has_no_spread() -> None:
    rows = pandas.DataFrame({"n": [1, 1, 2], "y": [1.0, 3.0, 5.0]})
    found = mean_over(rows, "n", "y")
    assert list(found["mean"]) == [2, 5]
    assert list(found["std"]) == [pytest.approx(2**0.5), 0]


def test_a_figure_is_labelled_and_has_its_numbers_beside_it(tmp_path: Path) -> None:
    album = Album(tmp_path, "2 seeds")
    data = pandas.DataFrame({"n": [1, 2]})
    with album.axes("line", "What is shown.", data, title=f"a title ({album.seeds})", x="qubits n", y="error") as axes:
        axes.plot([1, 2], [1, 2], label="a line")
    [drawn] = album.drawn
    assert drawn.svg is not None
    assert all(text in drawn.svg.read_text() for text in ("a title (2 seeds)", "qubits n", "error", "a line"))
    assert drawn.csv.read_text() == "n\n1\n2\n"
