"""Cells by name: what `create_cell` takes, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from tests.backends.test_refusals import refused
from tnqrnn import QRNN, Ansatz
from tnqrnn.cells import CELL_SETTINGS, CELLS, create_cell
from tnqrnn.matching import trained_parameters
from tnqrnn.settings import CellSettings


def test_every_setting_is_used_by_some_cell_and_every_used_setting_exists() -> None:
    used = {setting for family in CELLS.values() for setting in family.settings}
    assert used == set(CELL_SETTINGS)


def test_a_width_is_a_setting() -> None:
    assert all(family.width is None or family.width in family.settings for family in CELLS.values())


def test_unknown_names_and_settings() -> None:
    refused(lambda: create_cell("ltsm", 2), "unknown cell 'ltsm'", "Did you mean 'lstm'?")
    refused(lambda: create_cell("lstm", 2, hiden_size=3), "setting 'hiden_size'", "Did you mean 'hidden_size'?")
    refused(lambda: create_cell("lstm", 2, backend="mps"), "'lstm' does not use backend", "qrnn", "qlstm")
    refused(lambda: create_cell("qrnn", 2, hidden_size=3), "'qrnn' does not use hidden_size", "lstm")
    refused(lambda: create_cell("gru", 0), "gru", "input_size")


@pytest.mark.parametrize("name", [name for name, family in CELLS.items() if "hidden_size" in family.settings])
def test_hidden_size(name: str) -> None:
    assert create_cell(name, 2, n_qubits=3).output_size == 9  # as many readouts as a qrnn of three qubits
    readouts = 9 if name == "orthogonal_controlled" else 11  # whose vector may be longer than what is read
    assert create_cell(name, 2, n_qubits=3, hidden_size=11).output_size == readouts
    for wrong in (0, 2.0, "3"):
        refused(lambda wrong=wrong: create_cell(name, 2, hidden_size=wrong), "hidden_size", repr(wrong))  # type: ignore[misc]


@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_controlled_orthogonal_cell_has_the_parameters_of_the_qrnn(n_layers: int) -> None:
    cells = [create_cell(name, 5, n_qubits=4, n_layers=n_layers) for name in ("qrnn", "orthogonal_controlled")]
    assert trained_parameters(cells[0]) == trained_parameters(cells[1])
    assert [p.shape for p in cells[0].parameters()] == [p.shape for p in cells[1].parameters()]


@pytest.mark.parametrize(("n", "n_layers", "features"), [(3, 1, 2), (4, 2, 7)])
def test_the_parameters_are_those_that_the_documentation_counts(n: int, n_layers: int, features: int) -> None:
    m, h, w = features, 3 * n + 2, 5
    angles = 3 * n * n_layers

    def controller(outputs: int) -> int:
        return (m + 3 * n + 1) * 2 * w + (w + 1) * outputs

    expected = {
        "qrnn": controller(angles),
        "orthogonal_controlled": controller(n_layers * h),
        "controller_only": controller(3 * n),
        **dict.fromkeys(("rnn_tanh", "rnn_relu"), h * (m + h + 2)),
        "gru": 3 * h * (m + h + 2),
        "lstm": 4 * h * (m + h + 2),
        "orthogonal": h * (h - 1) // 2 + m * h + h,
        "qlstm": (m + h + 1) * n + 12 * n * n_layers + (n + 1) * h,
        "qrb": (m + 1) * max(1, n // 2) + angles,
        "reservoir": 0,
    }
    settings = {"n_qubits": n, "n_layers": n_layers, "controller_width": w, "hidden_size": h}
    for name, family in CELLS.items():
        used = {key: value for key, value in settings.items() if key in family.settings}
        assert trained_parameters(create_cell(name, m, **used)) == expected[name], name


def test_a_reservoir_is_an_untrained_qrnn() -> None:
    torch.manual_seed(0)
    qrnn = create_cell("qrnn", 2, n_qubits=2)
    torch.manual_seed(0)
    reservoir = create_cell("reservoir", 2, n_qubits=2)
    x = torch.randn(2, 3, 2)
    assert torch.equal(qrnn(x)[0], reservoir(x)[0])
    assert trained_parameters(reservoir) == 0
    assert not reservoir(x)[0].requires_grad


@pytest.mark.parametrize("name", CELLS)
def test_settings_are_given_by_name_or_as_one_object(name: str) -> None:
    given = {"n_qubits": 3, "controller_width": 5, "angle_scale": 0.5, "hidden_size": 10, "dropout": 0.0}
    named = {key: value for key, value in given.items() if key in CELLS[name].settings}
    x, readouts = torch.randn(2, 3, 2), []
    for settings in ({"settings": CellSettings(**given)}, named):
        torch.manual_seed(0)
        readouts.append(create_cell(name, 2, **settings)(x)[0])  # type: ignore[arg-type]
    assert torch.equal(*readouts)


def test_a_circuit_and_its_settings_exclude_each_other() -> None:
    refused(lambda: QRNN(2, Ansatz(2), n_layers=2), "QRNN", "setting 'n_layers'", "controller_width")
    refused(lambda: QRNN(2, Ansatz(2), shots=2), "QRNN", "setting 'shots'")
    refused(lambda: QRNN(2, Ansatz(2), controler="glu"), "setting 'controler'", "Did you mean 'controller'?")
