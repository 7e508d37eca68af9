"""What holds for every recurrent cell, so that a task need not ask which one it has."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.backends.cases import largest
from tests.backends.test_refusals import refused
from tests.tolerances import DIFFERENCE, DIFFERENCE_STEP
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.sequences import SequenceNetwork

BATCH, TIME, FEATURES = 3, 4, 2
LENGTHS = torch.tensor([2, TIME, 1])
# float32 readouts of order one, through four timesteps.
ROUNDING = 1e-5


def build(name: str, seed: int = 0, **settings: Any) -> SequenceNetwork:
    torch.manual_seed(seed)
    small = {"n_qubits": 2, "controller_width": 3, "angle_scale": 1.0} | settings
    return create_cell(name, FEATURES, **{key: value for key, value in small.items() if key in CELLS[name].settings})


@pytest.fixture(params=CELLS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(1))


def test_shapes(name: str, x: Tensor) -> None:
    cell = build(name)
    z, state = cell(x)
    assert z.shape == (BATCH, TIME, 6)
    assert cell.output_size == 6
    assert z.dtype == torch.float32
    assert state.batch_size == BATCH
    assert state[torch.tensor([2, 0])].batch_size == 2


def test_continuing_equals_one_call(name: str, x: Tensor) -> None:
    cell = build(name)
    whole, last = cell(x)
    state, pieces = None, []
    for part in x.split([2, 1, 1], dim=1):
        z, state = cell(part, state)
        pieces.append(z)
    # Not equal to the last bit: torch's LSTM and GRU multiply the inputs of all timesteps at once.
    assert largest(torch.cat(pieces, 1) - whole) <= ROUNDING
    assert all(largest(a - b) <= ROUNDING for a, b in zip(state.tensors, last.tensors, strict=True))


def test_single_steps_equal_one_call(name: str, x: Tensor) -> None:
    cell = build(name, dropout=0.5).eval()
    whole, last = cell(x)
    for feeds_back in (False, True):
        state, z, pieces = None, None, []
        for t in range(TIME):
            state, z = cell.step(x[:, t], state, z if feeds_back else None)
            pieces.append(cell.leaving(z, x))
        assert largest(torch.stack(pieces, 1) - whole) <= ROUNDING
        assert all(largest(a - b) <= ROUNDING for a, b in zip(state.tensors, last.tensors, strict=True))


def test_a_step_feeds_back_what_dropout_would_drop(name: str, x: Tensor) -> None:
    cell = build(name, dropout=0.5)
    if isinstance(cell.get_submodule("readout_dropout"), nn.Dropout) and cell.readout_dropout.p > 0:
        (state, z), (_, again) = (cell.step(x[:, 0], None) for _ in range(2))
        assert torch.equal(z, again)
        assert not torch.equal(cell.leaving(z, x), z)
        assert largest(cell.step(x[:, 1], state, z)[1] - cell.step(x[:, 1], state)[1]) <= ROUNDING


def test_chosen_samples_continue_alone(name: str, x: Tensor) -> None:
    cell = build(name)
    _, state = cell(x[:, :2])
    both, _ = cell(x[:, 2:], state)
    chosen = torch.tensor([2, 0])
    z, _ = cell(x[chosen, 2:], state[chosen])
    assert largest(z - both[chosen]) <= ROUNDING


def test_detach_cuts_the_graph(name: str, x: Tensor) -> None:
    cell = build(name)
    early = x[:, :2].clone().requires_grad_()
    _, state = cell(early)
    through, _ = cell(x[:, 2:], state)
    cut, _ = cell(x[:, 2:], state.detach())
    assert torch.equal(through, cut)
    assert largest(torch.autograd.grad(through.sum(), early)[0]) > 0
    assert not cut.requires_grad or torch.autograd.grad(cut.sum(), early, allow_unused=True)[0] is None


def test_a_shorter_sequence_ends_where_it_ends(name: str, x: Tensor) -> None:
    cell = build(name)
    z, state = cell(x, lengths=LENGTHS)
    for k, length in enumerate(LENGTHS.tolist()):
        alone, last = cell(x[k : k + 1, :length])
        assert largest(z[k, :length] - alone[0]) <= ROUNDING
        assert torch.equal(z[k, length:], torch.zeros(TIME - length, 6))
        for held, expected in zip(state[k].tensors, last.tensors, strict=True):
            assert largest(held - expected) <= ROUNDING


def test_padding_has_no_influence(name: str, x: Tensor) -> None:
    cell = build(name)
    padded = torch.arange(TIME) >= LENGTHS[:, None]
    results = []
    for filling in (0.0, 1e3):
        leaf = torch.where(padded[..., None], filling, x).requires_grad_()
        z, _ = cell(leaf, lengths=LENGTHS)
        trained = [parameter for parameter in cell.parameters() if parameter.requires_grad]
        results.append((z, *torch.autograd.grad(z.square().sum(), [leaf, *trained])))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert largest(results[0][1][padded]) == 0


def weighted(values: Tensor) -> Tensor:
    weights = torch.randn(values.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return (weights * values).sum()


def difference(loss: Callable[[], Tensor], leaves: list[Tensor], direction: list[Tensor]) -> float:
    """Central difference of a loss along a direction in its leaves."""
    values = []
    for sign in (1, -2):  # to +h, and from there to -h
        with torch.no_grad():
            for leaf, part in zip(leaves, direction, strict=True):
                leaf += sign * DIFFERENCE_STEP * part
        values.append(float(loss().detach()))
    with torch.no_grad():
        for leaf, part in zip(leaves, direction, strict=True):
            leaf += DIFFERENCE_STEP * part
    return (values[0] - values[1]) / (2 * DIFFERENCE_STEP)


def test_gradient_equals_finite_differences(name: str, x: Tensor) -> None:
    cell = build(name).double()
    inputs = x.double().requires_grad_()
    leaves = [inputs, *[parameter for parameter in cell.parameters() if parameter.requires_grad]]

    def loss() -> Tensor:
        return weighted(cell(inputs, lengths=LENGTHS)[0])

    gradients = torch.autograd.grad(loss(), leaves)
    generator = torch.Generator().manual_seed(3)
    for leaf, gradient in zip(leaves, gradients, strict=True):  # each by itself: a small one must not hide
        direction = torch.randn(leaf.shape, dtype=torch.float64, generator=generator)
        found = float((gradient * direction).sum())
        expected = difference(loss, [leaf], [direction])
        assert abs(found - expected) <= DIFFERENCE * max(1.0, abs(expected), largest(gradient))
        # The readouts of the first timestep alone do not see a recurrent weight, but these four timesteps do.
        assert largest(gradient) > 0


def test_gradient_reaches_an_incoming_state(name: str, x: Tensor) -> None:
    cell = build(name).double()
    inputs = x.double()
    first = inputs[:, :1].clone().requires_grad_()

    def loss() -> Tensor:
        _, state = cell(first)
        return weighted(cell(inputs[:, 1:], state)[0])

    direction = torch.randn(first.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    [gradient] = torch.autograd.grad(loss(), first)
    expected = difference(loss, [first], [direction])
    assert abs(float((gradient * direction).sum()) - expected) <= DIFFERENCE * max(1.0, abs(expected))
    assert expected != 0


def test_dropout_acts_in_training_only(name: str, x: Tensor) -> None:
    cell = build(name, dropout=0.5)
    assert not torch.equal(cell(x)[0], cell(x)[0])
    cell.eval()
    assert torch.equal(cell(x)[0], cell(x)[0])
    assert torch.equal(cell(x)[0], build(name)(x)[0])


def test_dropout_of_readouts_leaves_the_state_alone(name: str, x: Tensor) -> None:
    """A cell without a controller drops what leaves it, and goes on from what it would have been."""
    if "controller" in CELLS[name].settings and name != "reservoir":
        return
    dropped, kept = build(name, dropout=0.5)(x)[1], build(name)(x)[1]
    assert all(torch.equal(a, b) for a, b in zip(dropped.tensors, kept.tensors, strict=True))


def test_copies_and_precision(name: str, x: Tensor) -> None:
    cell = build(name)
    twin = copy.deepcopy(cell)
    assert torch.equal(twin(x)[0], cell(x)[0])
    twin.load_state_dict(build(name, seed=1).state_dict())
    assert not torch.equal(twin(x)[0], cell(x)[0])
    double = cell.double()(x.double())[0]
    assert double.dtype == torch.float64
    assert largest(double - build(name)(x)[0]) <= ROUNDING


@pytest.mark.parametrize("quantum", [name for name, family in CELLS.items() if "backend" in family.settings])
def test_weights_do_not_depend_on_the_backend(quantum: str, x: Tensor) -> None:
    exact = build(quantum, n_qubits=3)
    mps = build(quantum, seed=1, n_qubits=3, backend="mps", backend_options={"max_bond": None})
    mps.load_state_dict(exact.state_dict())
    assert largest(mps(x)[0] - exact(x)[0]) <= ROUNDING


def test_wrong_inputs_are_refused_in_the_name_of_the_cell(name: str, x: Tensor) -> None:
    cell = build(name)
    who = "QRNN" if name in ("qrnn", "reservoir") else name
    refused(lambda: cell(x[..., :1]), who, "input_size=2", "(3, 4, 1)")
    refused(lambda: cell(x.double()), who, "torch.float64")
    refused(lambda: cell(x * float("nan")), who, "NaN")
    refused(lambda: cell(x, lengths=torch.tensor([0, 1, 2])), who, "lengths")
    refused(lambda: cell(x[:2], cell(x)[1]), "3", "2", "state")
    refused(lambda: cell(x, 7), "state", "int")
    refused(lambda: cell.step(x, None), who, "input_size=2")
    refused(lambda: cell.step(x[:, 0, :1], None), who, "input_size=2")
    refused(lambda: cell.step(x[:, 0], 7), "state", "int")
    refused(lambda: cell.step(x[:2, 0], cell(x)[1]), "3", "2", "state")


@pytest.mark.parametrize("wrong", [{"n_qubits": 0}, {"dropout": 1.0}, {"n_qubits": 2.0}])
def test_wrong_sizes_are_refused(name: str, wrong: dict[str, Any]) -> None:
    refused(lambda: build(name, **wrong), *wrong)
