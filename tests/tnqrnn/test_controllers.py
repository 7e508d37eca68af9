"""The controller: four kinds, small at the start, dropout only while training."""

from __future__ import annotations

import pytest
import torch

from tnqrnn import QRNN, Ansatz
from tnqrnn.controllers import CONTROLLERS, Controller
from tnqrnn.initialisation import default_angle_scale


def build(kind: str, dropout: float = 0.0, angle_scale: float = 1.0) -> Controller:
    torch.manual_seed(0)
    return Controller(kind, 5, 7, width=4, dropout=dropout, angle_scale=angle_scale)


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
def test_the_angle_scale_scales_the_first_angles(kind: str) -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(build(kind, angle_scale=0.1)(x), 0.1 * build(kind)(x))


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
