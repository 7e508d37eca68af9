"""Gradients against the timestep: the norms themselves, and the command."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from backends.errors import InvalidInput
from backends.statevector.state import StatevectorState
from lightning_modules.copying import CopyingData, CopyingMemory
from lightning_modules.runs import run_command
from studies.gradients.command import main
from studies.gradients.norms import gradient_norms

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
    assert main([*asked, "--checkpoint", str(trained), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "22 timesteps" in printed
    rows = list(csv.DictReader((tmp_path / "out" / "gradients.csv").read_text().splitlines()))
    assert [row["model"] for row in rows[::21]] == ["qrnn, untrained", "lstm, untrained", "qrnn, trained"]
    assert [int(row["timestep"]) for row in rows[:21]] == list(range(1, 22))
    assert all(0 < float(row["quantile_10"]) <= float(row["median"]) <= float(row["quantile_90"]) for row in rows)
    assert (tmp_path / "out" / "gradients.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "env.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config"),
        (["--config", "copying", "--loss", "first"], "loss"),
        (["--config", "copying", "--samples", "0"], "--samples"),
        (["--checkpoint", "a.ckpt", "--model.n_qubits", "3"], "--model.n_qubits"),
        (["--config", "copying", *SMALL, "--cells", "elman"], "elman"),
    ],
)
def test_wrong_requests_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_matrix_product_state_is_refused() -> None:
    model = CopyingMemory(**SIZES, backend="mps")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"gauge.*statevector"):
        gradient_norms(model, CopyingData(delay=1).dataset("test")[[0]], "last")


def test_inputs_without_features_are_refused() -> None:
    tokens = torch.tensor([[1, 2, 3]])
    with pytest.raises(InvalidInput, match=r"CopyingMemory reads inputs of shape \(1, 3\).*expected sequences"):
        gradient_norms(task(), (tokens, tokens), "last")
