"""The controller: four kinds, small at the start, dropout only while training."""

from __future__ import annotations

import math

import pytest
import torch

from tnqrnn import QRNN, Ansatz, Circuit, InvalidInput
from tnqrnn.cells.qrb import QRB
from tnqrnn.controllers import CONTROLLERS, Controller
from tnqrnn.initialisation import default_angle_scale, precession_angles
from tnqrnn.recurrence import QuantumRecurrence
from tnqrnn.settings import CellSettings


def build(kind: str, dropout: float = 0.0, angle_scale: float = 1.0) -> Controller:
    torch.manual_seed(0)
    settings = CellSettings(controller=kind, controller_width=4, dropout=dropout, angle_scale=angle_scale)
    return Controller(5, 7, settings)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_what_each_kind_computes(kind: str) -> None:
    """Written out with the controller's own weights."""
    controller, x = build(kind), torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    hidden = x
    if kind != "linear":
        hidden = controller.hidden(x)
        if kind == "glu":
            value, gate = hidden.chunk(2, -1)
            hidden = value * torch.sigmoid(gate)
        elif kind == "relu":
            hidden = hidden.clamp(min=0)
        else:
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    torch.testing.assert_close(controller(x), hidden @ controller.output.weight.T + controller.output.bias)
    n_parameters = sum(parameter.numel() for parameter in controller.parameters())
    assert n_parameters == {"linear": 42, "relu": 24 + 35, "gelu": 24 + 35, "glu": 48 + 35}[kind]


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_the_angle_scale_scales_the_angles(kind: str) -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(build(kind, angle_scale=0.1)(x), 0.1 * build(kind)(x))


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_a_step_of_adam_moves_the_angles_in_proportion_to_the_scale(scale: float) -> None:
    """The first step moves every weight by the learning rate: each angle of a linear one by 0.1 (|f|_1 + 1) s."""
    torch.manual_seed(0)
    controller = Controller(5, 7, CellSettings(controller="linear", angle_scale=scale)).double()
    x = torch.rand(1, 5, dtype=torch.float64)
    before = controller(x)
    optimizer = torch.optim.Adam(controller.parameters(), lr=0.1, eps=1e-12)
    before.sum().backward()
    optimizer.step()
    expected = torch.full_like(before, -0.1 * (float(x.sum()) + 1) * scale)
    torch.testing.assert_close(controller(x) - before, expected, atol=0, rtol=1e-6)


@pytest.mark.parametrize(("network", "scaled"), [(QRNN, "cell.controller"), (QRB, "cell")])
def test_weights_of_before_the_factor_keep_their_angles(network: type[QuantumRecurrence], scaled: str) -> None:
    """They had the factor in themselves. A plain dictionary, without versions, is taken as it is."""
    x = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(1)).double()
    old, new = (network(2, Ansatz(3), angle_scale=scale).double() for scale in (1.0, 0.05))
    weights = old.state_dict()
    assert weights._metadata[scaled]["version"] == 2
    weights._metadata[scaled]["version"] = 1
    kept = {name: weight.clone() for name, weight in weights.items()}
    new.load_state_dict(weights)
    torch.testing.assert_close(new(x)[0], old(x)[0])
    assert all(torch.equal(weights[name], kept[name]) for name in kept)
    new.load_state_dict(dict(new.state_dict()))
    torch.testing.assert_close(new(x)[0], old(x)[0])


def test_dropout_acts_in_training_only() -> None:
    controller, x = build("gelu", dropout=0.5), torch.ones(64, 5)
    assert not torch.equal(controller(x), controller(x))
    controller.eval()
    assert torch.equal(controller(x), controller(x))


def test_the_default_scale_shrinks_with_angles_and_length() -> None:
    assert default_angle_scale(16, 8) == 1
    assert default_angle_scale(18, 64) == pytest.approx(128 / (18 * 64))
    assert default_angle_scale(18, None) == default_angle_scale(18, 64)
    model = QRNN(2, Ansatz(6), sequence_length=100)
    assert model.cell.angle_scale == default_angle_scale(model.cell.circuit.n_angles, 100)
    assert QRNN(2, Ansatz(6), angle_scale=0.3).cell.angle_scale == 0.3


@pytest.mark.parametrize("rotations", [("ry", "rz"), ("p", "rx"), ("rz", "ry", "rz")])
def test_every_qubit_precesses_at_its_own_rate(rotations: tuple[str, ...]) -> None:
    """Without input, X of qubit k in |+> turns as cos(t precession (k + 1) / n)."""
    ansatz = Ansatz(3, n_layers=2, rotations=rotations)
    model = QRNN(1, ansatz, angle_scale=1e-8, precession=1.2).double()
    _, state = QRNN(1, Circuit(3).ry(0).ry(1).ry(2), angle_scale=1e-8).double()(torch.zeros(1, 1, 1).double())
    state = state._replace((torch.full((1, 8), 8**-0.5, dtype=torch.complex128),))
    z, _ = model(torch.zeros(1, 5, 1).double(), state)
    steps, turns = torch.arange(1, 6).double(), 1.2 * torch.tensor([1, 2, 3]).double() / 3
    # Angles of the scale 1e-8 turn nothing by more than 1e-7 in five steps.
    torch.testing.assert_close(z[0, :, :3], torch.cos(steps[:, None] * turns), atol=1e-6, rtol=0)
    torch.testing.assert_close(z[0, :, 3:6], torch.sin(steps[:, None] * turns), atol=1e-6, rtol=0)


def test_no_precession_leaves_the_start_as_it_was() -> None:
    torch.manual_seed(0)
    plain = QRNN(2, Ansatz(3)).state_dict()
    torch.manual_seed(0)
    turning = QRNN(2, Ansatz(3), precession=math.pi).state_dict()
    changed = [name for name in plain if not torch.equal(plain[name], turning[name])]
    assert changed == ["cell.controller.output.bias"]
    slots, turns = precession_angles(Ansatz(3).circuit, math.pi)
    assert slots == [3, 4, 5]  # after ry on every qubit
    torch.testing.assert_close(turning[changed[0]][3:6] * default_angle_scale(9, None), turns)
    assert torch.equal(plain[changed[0]][6:], turning[changed[0]][6:])
    torch.manual_seed(0)
    zero = QRNN(2, Ansatz(3), precession=0.0).state_dict()
    assert all(torch.equal(plain[name], zero[name]) for name in plain)


def test_precession_is_refused_where_nothing_turns_about_z() -> None:
    with pytest.raises(InvalidInput, match="qubit 0 has none of the gates rz, p"):
        QRNN(1, Ansatz(2, rotations="ry"), precession=1.0)
    with pytest.raises(InvalidInput, match="precession"):
        QRNN(1, Ansatz(2), precession=math.nan)
