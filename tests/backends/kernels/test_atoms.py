"""The matrices of pair operations and the gradients of their angles, against products and traces by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.kernels import naive
from backends.kernels.atoms import angle_gradients, matrices
from backends.kernels.pairs import FIXED, OPERATION, RX, RY, RZ, Atom, Constants, P, atom_table
from backends.kernels.vectors import LANES
from tests.backends.areas import Array, in_both_precisions, random_complex, random_real, rounding

KINDS = {"x": RX, "y": RY, "z": RZ, "p": P, "fixed": FIXED}
# Atoms that both matrices begin with, those of the first alone, those of the second alone: kind and sign of the angle.
CHAINS = [
    (["x"], [], []),
    (["y", "fixed", "z"], ["p"], ["-x", "fixed"]),
    ([], ["fixed", "y", "-p"], ["z", "-y"]),
]


class Program:
    """One pair operation with an angle for every atom and random angles for all lanes."""

    def __init__(self, chains: tuple[list[str], ...], dtype: Any) -> None:
        names = [name for part in chains for name in part]
        self.kinds = [name.removeprefix("-") for name in names]
        self.signs = [-1 if name.startswith("-") else 1 for name in names]
        angles = random_real(1, len(names)) * np.pi
        unitaries = [np.linalg.qr(random_complex(k, 2, 2)[..., 0])[0] for k in range(len(names))]
        self.half = np.stack([np.cos(angles / 2), np.sin(angles / 2)]).astype(dtype)
        constants = Constants.of([unitary.ravel().view(np.float64) for unitary in unitaries])
        self.fixed, self.turns = (table.astype(dtype) for table in (constants.fixed, constants.turns))
        self.atoms = atom_table(
            [
                Atom(KINDS[kind], sign, slot)
                for slot, (kind, sign) in enumerate(zip(self.kinds, self.signs, strict=True))
            ]
        )
        ends = np.cumsum([0, *map(len, chains)])
        self.operations = np.array([(1, 2, 0, *ends, (1, 1))], OPERATION)
        self.both = [[*range(ends[1]), *range(ends[k], ends[k + 1])] for k in (1, 2)]
        self.matrices = [
            np.broadcast_to(unitary[..., None], (2, 2, LANES)) if kind == "fixed" else naive.atom(kind, sign * angle)
            for kind, sign, angle, unitary in zip(self.kinds, self.signs, angles, unitaries, strict=True)
        ]


@in_both_precisions
@pytest.mark.parametrize("chains", CHAINS)
def test_matrices(chains: tuple[list[str], ...], dtype: Any) -> None:
    program, u = Program(chains, dtype), np.full((1, 2, 8, LANES), np.nan, dtype)
    matrices(program.operations, program.atoms, program.fixed, program.half, u)
    ours = (u[0, :, ::2] + 1j * u[0, :, 1::2].astype(np.float64)).reshape(2, 2, 2, LANES)
    for which, members in enumerate(program.both):
        expected: Array = naive.chain([program.matrices[member] for member in members])
        np.testing.assert_allclose(
            ours[which], np.broadcast_to(expected, (2, 2, LANES)), rtol=0, atol=rounding(dtype, 16)
        )


@in_both_precisions
@pytest.mark.parametrize("first", [0, 8])
@pytest.mark.parametrize("chains", CHAINS)
def test_angle_gradients(chains: tuple[list[str], ...], first: int, dtype: Any) -> None:
    """Each matrix turns its M = sum psi lambda^dagger back to before each of its gates; shared ones get both."""
    program = Program(chains, dtype)
    outer = [random_complex(2, 2, 2), random_complex(3, 2, 2)]
    expected = np.zeros((len(program.kinds), LANES))
    sums = np.empty((1, 2, 4, LANES))
    for which, (members, m) in enumerate(zip(program.both, outer, strict=True)):
        sigma = np.concatenate([naive.PAULIS[:2], naive.PROJECTORS])
        sums[0, which] = np.einsum("sab,bal->sl", sigma, m).imag
        for member in reversed(members):
            if program.kinds[member] != "fixed":
                expected[member] += program.signs[member] * naive.angle_gradient(program.kinds[member], m)
            m = naive.before(program.matrices[member], m)
    g = np.full((12, len(program.kinds)), np.nan, dtype)
    angle_gradients(program.operations, program.atoms, program.turns, program.half, sums, first, g)
    count = min(LANES, 12 - first)
    np.testing.assert_allclose(g[first : first + count], expected.T[:count], rtol=0, atol=rounding(dtype, 64))
    assert np.isnan(np.delete(g, range(first, first + count), 0)).all()
