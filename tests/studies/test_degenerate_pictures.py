"""The pictures beside the studies: of a comparison, a benchmark, a model's gradients, a translator, from data that say
nothing; and what happens when one cannot be drawn."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pandas
import pytest
import torch

from lightning_modules.tasks.translation.attention_figure import AttentionMap, draw_attention
from studies.benchmark.figures import draw
from studies.compare.figures import draw_all
from studies.compare.measure import Deviation
from studies.compare.rows import Comparison, Row
from studies.gradients.reach import draw as draw_reach
from studies.gradients.reach import table_of
from studies.style import figure, log_limits

VALUES = [1.0, 0.0, math.nan, math.inf]
PNG = b"\x89PNG"


def of_one_value(kind: type, value: float, **named: Any) -> Any:
    """Return a dataclass whose numbers are all one value, and whose sizes are `named`."""
    hints = get_type_hints(kind)
    numbers = {field.name: 1 if hints[field.name] is int else value for field in fields(kind)}
    return kind(**{**numbers, **named})


def comparison(value: float, timesteps: int, n_qubits: int) -> Comparison:
    """Return a comparison with one bond dimension."""
    curves = torch.full((timesteps,), value)
    entropy = torch.full((timesteps, n_qubits - 1), value)
    deviation = of_one_value(Deviation, value)
    shapes = {field.name: curves for field in fields(Deviation) if isinstance(getattr(deviation, field.name), float)}
    hints = get_type_hints(Deviation)
    tensors = {name: tensor for name, tensor in shapes.items() if hints[name] is torch.Tensor}
    deviation = of_one_value(Deviation, value, **{**tensors, "entropy": entropy, "final": torch.full((3, 1), value)})
    rows = [of_one_value(Row, value, backend=name, max_bond=bond) for name, bond in (("statevector", None), ("mps", 1))]
    return Comparison("digits", "accuracy", n_qubits, timesteps, 1, rows, {1: deviation}, entropy)


@pytest.mark.parametrize("value", VALUES)
def test_a_comparison_is_drawn_whatever_was_measured(
    value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = draw_all(comparison(value, timesteps=1, n_qubits=2), tmp_path)
    assert capsys.readouterr().err == ""
    assert len(paths) == 6
    assert all(path.read_bytes().startswith(PNG) for path in paths)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("max_bond", [None, 1])
def test_a_benchmark_is_drawn_whatever_was_measured(
    max_bond: int | None, value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = dict.fromkeys(("n_qubits", "n_layers", "batch", "timesteps"), 1)
    seconds = ("step_seconds", "forward_only_seconds", "flop_floor_seconds")
    numbers = dict.fromkeys((*seconds, "stored_bytes", "peak_bytes"), value)
    paths = draw(pandas.DataFrame([{"simulator": "ours", **sizes, "max_bond": max_bond, **numbers}]), tmp_path)
    assert capsys.readouterr().err == ""
    assert paths
    assert all(path.read_bytes().startswith(PNG) for path in paths)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("timesteps", [1, 3])
def test_gradients_of_a_model_are_drawn_whatever_they_are(
    value: float, timesteps: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gradients.png"
    draw_reach(table_of({"qrnn": torch.full((2, timesteps), value)}), "a title", path)
    assert capsys.readouterr().err == ""
    assert path.read_bytes().startswith(PNG)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("tokens", [0, 1])
def test_attention_is_drawn_whatever_was_written(
    value: float, tokens: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "attention.png"
    draw_attention([AttentionMap(["one"], ["eins"] * tokens, torch.full((tokens, 1), value))], path)
    assert capsys.readouterr().err == ""
    assert path.read_bytes().startswith(PNG)


def test_a_picture_that_cannot_be_drawn_is_one_sentence_and_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "line.svg"
    path.write_text("of an older result")
    with figure(path) as drawing:
        drawing.add_subplot()
        raise RuntimeWarning("divide by zero\nencountered")
    assert not path.exists()
    told = capsys.readouterr().err
    assert (
        told
        == f"{path} could not be drawn (RuntimeWarning: divide by zero encountered); all else goes on without it.\n"
    )
    draw_attention([AttentionMap(["one"], ["eins"], torch.ones(1, 1))], tmp_path / "nowhere" / "attention.png")
    assert "attention.png could not be drawn" in capsys.readouterr().err


def test_a_user_who_interrupts_is_heard(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), figure(tmp_path / "line.svg"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("low", "high"),
    [(3, 3), (3, math.nextafter(3, 4)), (0, 0), (math.nan, math.nan), (math.inf, -math.inf), (5e-324, 1.7e308), (1, 8)],
)
def test_a_logarithmic_axis_has_ends_that_differ(low: float, high: float) -> None:
    lower, upper = log_limits(low, high)
    assert 0 < lower < upper < math.inf
    assert math.log(upper / lower) > 1
    if 0 < low <= high:
        assert lower <= low
        assert high <= upper
