"""The orthogonal cells: their formulas, and that training keeps them orthogonal."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.backends.cases import largest
from tests.backends.test_refusals import refused
from tnqrnn.cells.givens import ControlledRotations, ring_stages
from tnqrnn.cells.orthogonal import OrthogonalRNN

# A product of some dozens of float32 rotations.
ROUNDING = 1e-5


def train(cell: torch.nn.Module, steps: int = 5) -> None:
    x = torch.randn(4, 6, cell.input_size, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(cell.parameters(), lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        (cell(x)[0] - 0.5).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_the_rotation_stays_orthogonal(size: int) -> None:
    cell = OrthogonalRNN(2, hidden_size=size)
    before = cell.rotation().detach()
    train(cell)
    after = cell.rotation().detach()
    for rotation in (before, after):
        assert largest(rotation @ rotation.T - torch.eye(size)) <= ROUNDING
        assert torch.linalg.det(rotation) == pytest.approx(1, abs=ROUNDING)
    assert size == 1 or largest(after - before) > 1e-2
    assert cell.skew.numel() == size * (size - 1) // 2


def test_it_starts_as_rotations_of_pairs() -> None:
    rotation = OrthogonalRNN(2, hidden_size=5).rotation().detach()
    outside = torch.ones(5, 5) - torch.block_diag(torch.ones(2, 2), torch.ones(2, 2), torch.ones(1, 1))
    assert largest(rotation * outside) <= ROUNDING
    assert rotation[0, 0] == pytest.approx(float(rotation[1, 1]), abs=ROUNDING)


def test_the_recursion_of_the_orthogonal_cell() -> None:
    cell = OrthogonalRNN(2, hidden_size=4).double()
    x = torch.randn(3, 5, 2, dtype=torch.float64)
    rotation, h, expected = cell.rotation(), torch.zeros(3, 4, dtype=torch.float64), []
    for t in range(5):
        turned = torch.stack([rotation @ h[k] + cell.drive.weight @ x[k, t] for k in range(3)])
        longer = turned.abs() + cell.bias
        h = torch.where(longer > 0, turned / turned.abs() * longer, 0)  # modReLU of uRNN, on the reals
        expected.append(h)
    assert largest(cell(x)[0] - torch.stack(expected, 1)) <= 1e-12


def test_without_input_and_bias_the_norm_is_kept() -> None:
    cell = OrthogonalRNN(1, hidden_size=6)
    with torch.no_grad():
        cell.bias.zero_()
    z, _ = cell(torch.cat([torch.ones(1, 1, 1), torch.zeros(1, 50, 1)], 1))
    norms = z.detach().norm(dim=-1)
    assert norms[0, 0] > 0.1
    torch.testing.assert_close(norms, norms[:, :1].expand_as(norms), rtol=1e-4, atol=0)


def controlled(**settings: int) -> ControlledRotations:
    torch.manual_seed(0)
    return ControlledRotations(2, n_qubits=2, controller_width=3, angle_scale=1.0, **settings)


def givens_matrix(size: int, a: int, b: int, angle: Tensor) -> Tensor:
    matrix = torch.eye(size, dtype=torch.float64)
    matrix[a, a] = matrix[b, b] = angle.cos()
    matrix[a, b], matrix[b, a] = -angle.sin(), angle.sin()
    return matrix


@pytest.mark.parametrize(("entries", "n_layers"), [(6, 1), (7, 1), (6, 2)])
def test_the_recursion_of_the_controlled_cell(entries: int, n_layers: int) -> None:
    cell = controlled(hidden_size=entries, n_layers=n_layers).double()
    x = torch.randn(1, 3, 2, dtype=torch.float64)
    chain = [(k, k + 1) for k in range(entries - 1)]
    bonds = (chain[::2] + chain[1::2] + [(entries - 1, 0)]) * n_layers
    v, expected = torch.full((entries,), entries**-0.5, dtype=torch.float64), []
    for t in range(3):
        read = math.sqrt(entries) * v[:6]
        angles = cell.controller(torch.cat([x[0, t], read]))
        assert len(angles) == len(bonds)
        for angle, bond in zip(angles, bonds, strict=True):
            v = givens_matrix(entries, *bond, angle.detach()) @ v
        expected.append(math.sqrt(entries) * v[:6])
    assert largest(cell(x)[0][0] - torch.stack(expected)) <= 1e-12


def test_the_vector_stays_a_unit_vector() -> None:
    cell = controlled(hidden_size=7)
    train(cell)
    _, state = cell(torch.randn(4, 30, 2))
    assert largest(state.tensors[0].norm(dim=1) - 1) <= ROUNDING


@pytest.mark.parametrize("entries", [3, 4, 5, 8])
def test_stages_rotate_every_bond_once_and_disjointly(entries: int) -> None:
    stages = ring_stages(entries)
    for pairs in stages:
        touched = [entry for pair in pairs for entry in pair]
        assert len(set(touched)) == len(touched)
    bonds = {frozenset(pair) for pairs in stages for pair in pairs}
    assert bonds == {frozenset((k, (k + 1) % entries)) for k in range(entries)}
    assert sum(map(len, stages)) == entries


def test_a_vector_shorter_than_its_readouts_is_refused() -> None:
    refused(lambda: controlled(hidden_size=5), "orthogonal_controlled", "hidden_size", "6 readouts", "got 5")
