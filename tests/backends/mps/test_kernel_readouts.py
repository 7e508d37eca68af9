"""The kernel's readouts and their adjoint, alone, against the dense state; space and target are NaN before."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest

from backends.kernels.compiling import strict_jit
from backends.kernels.vectors import LANES
from backends.mps.kernel import readouts
from backends.mps.kernel.tables import Site, records
from tests.backends.areas import Array, in_both_precisions

SHAPES = [(1, 4, 2), (2, 2, 2), (2, 2, 2), (2, 4, 1)]
QUBITS = 6
PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@strict_jit
def _read(x, sites, centre, z):  # type: ignore[no-untyped-def]
    space = readouts.readout_space(sites, x.dtype)
    for array in (space.ket, space.phi, space.sums):
        array[:] = np.nan
    space.environments[:] = np.nan
    space.bonds[:] = np.nan
    readouts.read(x, sites, centre, space)
    readouts.finish(space, 0, z)


@strict_jit
def _unread(x, g, sites, centre, g_z):  # type: ignore[no-untyped-def]
    space = readouts.readout_space(sites, x.dtype)
    readouts.read(x, sites, centre, space)
    space.phi[:] = np.nan
    space.bonds[:] = np.nan
    readouts.unread(x, g, sites, centre, space, 0, g_z)


def canonical(centre: int, dtype: Any, seed: int = 0) -> list[Array]:
    """Site tensors (left, width, right, LANES), isometries towards the centre, whose norm is not one."""
    rng, tensors = np.random.default_rng(seed), []
    for s, (left, width, right) in enumerate(SHAPES):
        shape = (LANES, left * width, right) if s <= centre else (LANES, width * right, left)
        tensor = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        if s != centre:
            tensor = np.linalg.qr(tensor)[0]
        if s > centre:
            tensor = tensor.swapaxes(1, 2)
        tensors.append(np.moveaxis(tensor.reshape(LANES, left, width, right), 0, -1))
    rounded = np.complex64 if dtype == np.float32 else np.complex128
    return [tensor.astype(rounded).astype(complex) for tensor in tensors]


def expected(tensors: list[Array]) -> Array:
    """X, Y, Z of all qubits, (LANES, 3 QUBITS), of the normalised state."""
    joined = reduce(lambda a, b: np.einsum("awbl,bvcl->awvcl", a, b).reshape(1, -1, b.shape[2], LANES), tensors)
    psi = np.moveaxis(joined[0, :, 0], -1, 0)
    psi = (psi / np.linalg.norm(psi, axis=1, keepdims=True)).reshape(LANES, *[2] * QUBITS)
    moved = [np.moveaxis(psi, 1 + qubit, 1).reshape(LANES, 2, -1) for qubit in range(QUBITS)]
    values = [[np.einsum("lai,ab,lbi->l", m.conj(), pauli, m).real for m in moved] for pauli in PAULIS]
    return np.array(values).reshape(3 * QUBITS, LANES).T


def rows_of(tensors: list[Array], dtype: Any) -> Array:
    """The numbers as the kernel holds them, (2 numbers, LANES)."""
    numbers = np.concatenate([tensor.reshape(-1, LANES) for tensor in tensors])
    return np.ascontiguousarray(np.stack([numbers.real, numbers.imag], 1).reshape(-1, LANES), dtype)


def sites() -> Any:
    starts = np.cumsum([0, *[left * width * right for left, width, right in SHAPES]]).tolist()
    return records(Site, [Site(start, *shape) for start, shape in zip(starts, SHAPES, strict=False)])


@in_both_precisions
@pytest.mark.parametrize("batch", [LANES, LANES - 3], ids=["full", "not full"])
@pytest.mark.parametrize("centre", range(len(SHAPES)))
def test_readouts(centre: int, batch: int, dtype: Any) -> None:
    tensors = canonical(centre, dtype)
    x, z = rows_of(tensors, dtype), np.full((batch, 3 * QUBITS), np.nan, dtype)
    before = x.copy()
    _read(x, sites(), centre, z)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(z, expected(tensors)[:batch], rtol=0, atol=100 * np.finfo(dtype).eps)


@in_both_precisions
@pytest.mark.parametrize("centre", range(len(SHAPES)))
def test_adjoint_of_readouts(centre: int, dtype: Any) -> None:
    """Along a change of the centre, the derivative of the readouts; g is added to what was there."""
    tensors, direction = canonical(centre, dtype), canonical(centre, dtype, seed=1)[centre]
    weights = np.random.default_rng(2).uniform(-1, 1, (LANES, 3 * QUBITS)).astype(dtype)
    x = rows_of(tensors, dtype)
    g = np.ones_like(x)
    _unread(x, g, sites(), centre, weights)
    start = 2 * int(sites()[centre]["start"])
    change = rows_of([direction], np.float64)
    found = np.sum((g[start : start + len(change)] - 1.0) * change, 0)

    def loss(step: float) -> Array:
        moved = [tensor + step * direction if s == centre else tensor for s, tensor in enumerate(tensors)]
        return np.sum(weights * expected(moved), 1)

    derivative = (loss(1e-5) - loss(-1e-5)) / 2e-5
    np.testing.assert_allclose(found, derivative, rtol=0, atol=2e-4 if dtype == np.float32 else 1e-8)
