"""Widths at which two models have as many parameters."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from tests.backends.test_refusals import refused
from tnqrnn import match_parameters
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.matching import trained_parameters

WIDTHS = [name for name, family in CELLS.items() if family.width]


def cell_of_width(name: str, width: int) -> nn.Module:
    return create_cell(name, 8, n_qubits=3, **{str(CELLS[name].width): width})


@pytest.mark.parametrize("name", WIDTHS)
def test_matches_a_target_within_one_percent(name: str) -> None:
    found = match_parameters(partial(cell_of_width, name), target=20_000)
    assert found.count == trained_parameters(cell_of_width(name, found.width))
    assert found.deviation == found.count / 20_000 - 1
    assert abs(found.deviation) <= 0.01
    assert found.within


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("target", [60, 333, 2000])
def test_no_other_width_is_nearer(name: str, target: int) -> None:
    found = match_parameters(partial(cell_of_width, name), target)
    assert found.within == (abs(found.count - target) <= 0.01 * target)
    for width in (found.width - 1, found.width + 1):
        if width >= (9 if name == "orthogonal_controlled" and CELLS[name].width == "hidden_size" else 1):
            assert abs(trained_parameters(cell_of_width(name, width)) - target) >= abs(found.count - target)


def test_the_found_width_is_found_again() -> None:
    for width in (1, 2, 3, 17, 64):
        count = trained_parameters(nn.Linear(5, width))
        assert match_parameters(lambda w: nn.Linear(5, w), count).width == width


def test_the_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    match_parameters(lambda width: nn.Linear(3, width), 100)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_nearest_is_named_where_none_is_near() -> None:
    found = match_parameters(lambda width: nn.Linear(100, width), 160)
    assert (found.width, found.count, found.within) == (2, 202, False)
    assert found.deviation == pytest.approx(0.2625)
    assert match_parameters(lambda width: nn.Linear(100, width), 5).width == 1


def test_refusals() -> None:
    refused(lambda: match_parameters(lambda width: nn.Linear(3, 4), 100), "16 parameters", "no width gives 100")
    refused(lambda: match_parameters(lambda width: nn.Linear(1, width), 10**6, largest=64), "largest width 64")
    refused(lambda: match_parameters(lambda width: nn.Linear(1, width), 0), "target", "0")
    refused(lambda: match_parameters(lambda width: nn.Linear(1, width), 10, tolerance=1.5), "tolerance")


def test_frozen_parameters_do_not_count() -> None:
    layer = nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    assert trained_parameters(layer) == 6
