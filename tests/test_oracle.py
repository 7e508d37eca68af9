"""The oracle against facts that anyone can check by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tests import oracle

NONE = torch.zeros(1, 0, dtype=torch.float64)


def basis(bits: str) -> torch.Tensor:
    psi = torch.zeros(1, 2 ** len(bits), dtype=torch.complex128)
    psi[0, int(bits, 2)] = 1
    return psi


def test_qubit_0_is_the_most_significant_bit() -> None:
    torch.testing.assert_close(oracle.evolve([("x", (0,))], basis("000"), NONE), basis("100"))


@pytest.mark.parametrize(("before", "after"), [("000", "000"), ("001", "101"), ("100", "100"), ("111", "011")])
def test_cx_takes_its_control_first(before: str, after: str) -> None:
    torch.testing.assert_close(oracle.evolve([("cx", (2, 0))], basis(before), NONE), basis(after))


def test_a_gate_on_inner_qubits_is_a_kronecker_product() -> None:
    angle = torch.tensor([0.7], dtype=torch.float64)
    one = torch.eye(2, dtype=torch.complex128)
    matrix = oracle.gate_matrix("crx", angle[None])[0]
    expected = torch.kron(one, torch.kron(matrix, one))
    torch.testing.assert_close(oracle.unitary([("crx", (1, 2))], 4, angle), expected)


def test_rotations_in_closed_form() -> None:
    cos, sin = math.cos(0.4), math.sin(0.4)
    angle = torch.tensor([[0.8]], dtype=torch.float64)
    rx = torch.tensor([[[cos, -1j * sin], [-1j * sin, cos]]], dtype=torch.complex128)
    ry = torch.tensor([[[cos, -sin], [sin, cos]]], dtype=torch.complex128)
    rz = torch.tensor([[[cos - 1j * sin, 0], [0, cos + 1j * sin]]], dtype=torch.complex128)
    for name, expected in {"rx": rx, "ry": ry, "rz": rz}.items():
        torch.testing.assert_close(oracle.gate_matrix(name, angle), expected)


@pytest.mark.parametrize("angle", [1e-3, 0.05, 0.09, 3.0])
def test_a_single_rotation_is_right_to_rounding(angle: float) -> None:
    """Of one sample, whose matrix exponential some libraries take to fewer digits."""
    found = oracle.gate_matrix("cp", torch.tensor([[angle]], dtype=torch.float64))[0].diagonal()
    expected = torch.tensor([1, 1, 1, complex(math.cos(angle), math.sin(angle))], dtype=torch.complex128)
    torch.testing.assert_close(found, expected, rtol=0, atol=4e-16)


@pytest.mark.parametrize("name", [*oracle.ONE_QUBIT, *oracle.TWO_QUBIT])
def test_every_gate_is_unitary(name: str) -> None:
    angles = torch.full((1, oracle.N_ANGLES[name]), 0.3, dtype=torch.float64)
    matrix = oracle.gate_matrix(name, angles)[0]
    torch.testing.assert_close(matrix @ matrix.mH, torch.eye(len(matrix), dtype=torch.complex128))


def test_bell_state() -> None:
    bell = oracle.evolve([("h", (0,)), ("cx", (0, 1))], oracle.zero_state(2, 1), NONE)
    assert oracle.entropies(bell)[0, 0] == pytest.approx(math.log(2))
    assert oracle.expectation(bell, "XX")[0] == pytest.approx(1)
    assert oracle.expectation(bell, "YY")[0] == pytest.approx(-1)
    torch.testing.assert_close(oracle.readouts(bell), torch.zeros(1, 6, dtype=torch.float64))
