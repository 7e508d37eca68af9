"""Gradients against the timestep: the norms themselves, and the command."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from backends.errors import InvalidInput
from backends.statevector.state import StatevectorState
from lightning_modules.cli.run_command import run_command
from lightning_modules.tasks.copying.data import CopyingData
from lightning_modules.tasks.copying.task import CopyingMemory
from studies.fits import slope, slope_over_seeds
from studies.gradients.command import STUDY
from studies.gradients.measure import build, measure
from studies.gradients.norms import gradient_norms
from studies.gradients.reach import _name
from tests.studies.small import GRID_OUTPUT, refused_by

SIZES = {"input_size": 10, "output_size": 9, "sequence_length": 21, "n_qubits": 2, "controller_width": 3}
SMALL = ["--data.delay", "2", "--model.n_qubits", "2"]


def task(**settings: object) -> CopyingMemory:
    torch.manual_seed(3)
    return CopyingMemory(**{**SIZES, "angle_scale": 1.0, **settings}).double()  # type: ignore[arg-type]


def test_norm_of_a_qrnn_is_the_steepest_change_on_the_sphere() -> None:
    """Against finite differences in every direction of the amplitudes at one timestep, the state renormalised."""
    model, (x, y) = task(), CopyingData(delay=1).dataset("test")[[0, 1]]
    x, y, t, step = x[:, :6].double(), y[:, :6].clone(), 2, 1e-6
    y[:, -1] = 4
    norms = gradient_norms(model, (x, y), "last")
    assert norms.shape == (2, 5)
    _, reached = model.cell(x[:, : t + 1])
    changes = []
    for direction in torch.cat([torch.eye(4), 1j * torch.eye(4)]).to(torch.complex128):
        losses = []
        for sign in (1, -1):
            moved = reached.amplitudes + sign * step * direction
            start = StatevectorState(2, moved / moved.norm(dim=1, keepdim=True))
            z, _ = model.cell(x[:, t + 1 :], start)
            losses.append(cross_entropy(model.read(z)[:, -1], y[:, -1], reduction="none").detach())
        changes.append((losses[0] - losses[1]) / (2 * step))
    expected = torch.stack(changes).norm(dim=0)
    # Central differences of step 1e-6 in double precision are good to about 1e-9.
    torch.testing.assert_close(norms[:, t], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("cell", ["lstm", "rnn_tanh"])
def test_norm_of_a_classical_cell_is_that_of_its_whole_state(cell: str) -> None:
    model, (x, y) = task(cell=cell, hidden_size=3), CopyingData(delay=1).dataset("test")[[0, 1, 2]]
    x, t = x.double(), 12
    norms = gradient_norms(model, (x, y), "task")
    _, state = model.cell(x[:, : t + 1])
    state = type(state)(tuple(tensor.detach().requires_grad_() for tensor in state.tensors))
    z, _ = model.cell(x[:, t + 1 :], state)
    loss = cross_entropy(model.read(z).flatten(0, 1), y[:, t + 1 :].flatten(), reduction="sum") / y.shape[1]
    gradients = torch.autograd.grad(loss, state.tensors)
    torch.testing.assert_close(norms[:, t], torch.cat(gradients, 1).norm(dim=1))


def test_command_compares_cells_and_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--trainer.max_epochs", "1", "--data.steps_per_epoch", "1", "--data.evaluation_size", "4"]
    trained = run_command("fit", ["--config", "copying", *SMALL, *few, "--runs", str(tmp_path)]).best_or_last()
    asked = ["--config", "copying", *SMALL, "--cells", "qrnn", "lstm", "--samples", "3"]
    assert STUDY.main([*asked, "--checkpoint", str(trained), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "22 timesteps" in printed
    rows = list(csv.DictReader((tmp_path / "out" / "gradients.csv").read_text().splitlines()))
    assert [row["model"] for row in rows[::21]] == ["qrnn, untrained", "lstm, untrained", "qrnn, trained"]
    assert [int(row["timestep"]) for row in rows[:21]] == list(range(1, 22))
    assert all(0 < float(row["quantile_10"]) <= float(row["median"]) <= float(row["quantile_90"]) for row in rows)
    assert (tmp_path / "out" / "gradients.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "env.json").exists()
    first = (tmp_path / "out" / "gradients.csv").read_bytes()
    assert STUDY.main(["--checkpoint", str(trained), "--samples", "2", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "gradients.csv").read_bytes() == first
    assert "qrnn, trained" in (tmp_path / "out-2" / "gradients.csv").read_text()


def test_every_checkpoint_has_a_line_of_its_own() -> None:
    """Four of one cell, two of them in one folder; a folder two above that is no run gives no name."""
    taken: dict[str, Any] = {}
    for path in ("a/best.ckpt", "b/best.ckpt", "b/last.ckpt", "c/b/last.ckpt"):
        run: Any = SimpleNamespace(config={"model": {}}, checkpoint=Path(path))
        taken[_name(run, taken)] = None
    assert list(taken) == [
        "qrnn, trained", "qrnn, trained (b)", "qrnn, trained (b, last.ckpt)", "qrnn, trained (c/b/last.ckpt)"
    ]  # fmt: skip


def test_the_folder_of_a_model_is_named_by_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["--config", "copying", *SMALL, "--samples", "2"]
    assert STUDY.main(asked) == 0
    assert STUDY.main([*asked, "--loss", "task"]) == 0
    assert STUDY.main(asked) == 0
    names = [path.parent.name for path in tmp_path.glob("runs/gradients-*/gradients.csv")]
    assert len(names) == 3
    [again] = [name for name in names if name.endswith("-2")]
    assert again.removesuffix("-2") in names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "copying", "--loss", "first"], "loss"),
        (["--config", "copying", "--samples", "0"], "--samples"),
        (["--checkpoint", "a.ckpt", "--model.n_qubits", "3"], "--model.n_qubits"),
        (["--config", "copying", *SMALL, "--cells", "elman"], "elman"),
        (["--checkpoint"], "--checkpoint"),
    ],
)
def test_wrong_requests_of_one_model_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert STUDY.main([*arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_matrix_product_state_is_refused() -> None:
    model = CopyingMemory(**SIZES, backend="mps")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"gauge.*statevector"):
        gradient_norms(model, CopyingData(delay=1).dataset("test")[[0]], "last")


def test_inputs_without_features_are_refused() -> None:
    tokens = torch.tensor([[1, 2, 3]])
    with pytest.raises(InvalidInput, match=r"CopyingMemory reads inputs of shape \(1, 3\).*expected sequences"):
        gradient_norms(task(), (tokens, tokens), "last")


# Over random initialisations.

CELL: dict[str, Any] = {
    "cell": "qrnn",
    "n_qubits": 2,
    "n_layers": 1,
    "timesteps": 1,
    "angle_scale": None,
    "initialisations": 3,
    "features": 2,
}


@pytest.mark.parametrize("name", ["qrnn", "lstm"])
def test_variances_are_those_of_finite_differences(name: str, tmp_path: Path) -> None:
    """Of one parameter after the other, in every initialisation, from the cost alone."""
    settings = {**CELL, "cell": name, "timesteps": 2, "initialisations": 2, "features": 1}
    found, step, derivatives = measure(settings, 5, tmp_path), 1e-6, []
    for number in range(2):
        torch.manual_seed(5 * 2 + number)
        cell = build(settings)
        x = torch.randn(1, 2, 1, dtype=torch.float64)
        first = 4 if name == "qrnn" else 0  # <Z> of the first of two qubits, the first unit
        values: dict[str, list[float]] = {}
        with torch.no_grad():
            for key, weight in cell.named_parameters():
                for k in range(weight.numel()):
                    costs = []
                    for sign in (1, -1):
                        weight.view(-1)[k] += sign * step
                        costs.append(float(cell(x)[0][0, -1, first]))
                        weight.view(-1)[k] -= sign * step
                    values.setdefault(key, []).append((costs[0] - costs[1]) / (2 * step))
        derivatives.append(values)
    variances = {key: np.var([one[key] for one in derivatives], axis=0, ddof=1) for key in derivatives[0]}
    assert found["variance"] == pytest.approx(np.concatenate(list(variances.values())).mean(), rel=1e-5)
    if name == "qrnn":
        assert found["variance_angles"] == pytest.approx(variances["cell.controller.output.bias"].mean(), rel=1e-5)
    else:
        assert found["variance_angles"] is None


def test_a_deep_random_circuit_has_a_barren_plateau(tmp_path: Path) -> None:
    """Random angles: the variance shrinks exponentially with the qubits; near the identity it does so less."""
    deep = {**CELL, "n_layers": 8, "angle_scale": 30.0, "initialisations": 40}
    variances = [measure({**deep, "n_qubits": n}, 0, tmp_path)["variance_angles"] for n in (2, 4, 6)]
    assert slope([2, 4, 6], np.log2(variances)) < -0.5
    near = [measure({**deep, "angle_scale": 0.1, "n_qubits": n}, 0, tmp_path)["variance_angles"] for n in (2, 4, 6)]
    assert slope([2, 4, 6], np.log2(near)) > slope([2, 4, 6], np.log2(variances)) + 0.3


def test_one_timestep_has_no_norms_and_many_have_a_rate(tmp_path: Path) -> None:
    assert measure(CELL, 0, tmp_path)["per_timestep"] is None
    settings = {**CELL, "cell": "rnn_tanh", "timesteps": 12}
    found = measure(settings, 0, tmp_path)
    norms = np.load(tmp_path / "arrays.npz")["norms"]
    assert norms.shape == (3, 11)
    assert found["first"] == pytest.approx(np.exp(np.log(norms[:, 0]).mean()))
    assert found["per_timestep"] < 1
    assert found["per_timestep"] == pytest.approx((found["first"] / found["last"]) ** (1 / 10), rel=0.2)


def test_slopes_and_their_spread() -> None:
    lines = [([1, 2, 3], [2, 4, 6]), ([1, 2, 3], [1, 2, 3]), ([1, 1], [5, 6])]
    found = slope_over_seeds(lines)
    assert found is not None
    assert (found.mean, found.std, found.seeds) == (pytest.approx(1.5), pytest.approx(0.5**0.5), 2)
    assert str(found) == "1.50 ± 0.71"
    assert slope_over_seeds([([1, 1], [5, 6])]) is None


def test_command_on_a_small_grid(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["--cell", "qrnn", "lstm", "--n-qubits", "2", "3", "--n-layers", "1", "--timesteps", "3"]
    asked += ["--angle-scale", "null", "--initialisations", "2", "--seeds", "0", "1", "--executor", "debug"]
    assert STUDY.main([*asked, "--out", str(out)]) == 0
    assert {path.stem for path in out.glob("*.svg")} == {"norms", "reach", "variance", "plateau"}
    assert {path.name for path in out.iterdir()} >= GRID_OUTPUT
    assert len(list((out / "cells").iterdir())) == 2 * 2 * 2
    with (out / "variance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["variant"] for row in rows} == {"qrnn, 1 layer, usual start", "lstm"}
    assert all("±" in row["exponent"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--cell", "elman"], "'elman'"),
        (["--cell", "reservoir"], "not trained"),
        (["--initialisations", "1"], "initialisations"),
        (["--n-qubits", "0"], "n_qubits"),
        (["--timesteps", "0"], "timesteps"),
        (["--angle-scale", "-1"], "angle_scale"),
        (["--n-layers", "0"], "n_layers"),
    ],
)
def test_wrong_grids_are_refused(
    arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused_by("gradients", arguments, mentions, tmp_path, capsys)
