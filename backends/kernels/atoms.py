"""The 2 x 2 matrices of the kernel: from angles to the matrices of pair operations, and from cotangents back to angles.

A matrix of all lanes is an array (8, LANES): real and imaginary parts of u00, u01, u10, u11. Cosines and sines of the
half angles come as `half` (2, n_angles, LANES).

**Gradients.** Of a gate V = exp(-i a sigma / 2) between the cotangent lambda and the state psi behind it,
dL/da = Im(lambda^dagger sigma psi) / 2. All that the kernel sums up per pair operation are therefore the four numbers
s_k = Im(lambda^dagger sigma_k psi), sigma = X, Y, Z, 1: the *frame*. A gate before another one sees the frame through
it, and V^dagger sigma_k V only turns the first three: one rotation in the plane of the other two axes for each gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.kernels.compiling import inner, jit
from backends.kernels.emitting import Numbers, Rows, inlined
from backends.kernels.pairs import FIXED, RX, RY, RZ
from backends.kernels.vectors import LANES, Complex, Index, where

Column = tuple[Complex, Complex]


def _turning(name: str, turned: Callable[[Complex, Complex, Complex], Column]) -> Any:
    """An operation that multiplies u (8, LANES) from the left by a rotation.

    Its half angle's cosine and sine (times `sign`) are row `slot` of tables (n_angles, LANES).
    """

    def turn(u: Rows, cosines: Rows, sines: Rows, slot: Index, sign: Index) -> None:
        half = Complex(cosines[slot], where(sign > 0, sines[slot], -sines[slot]))
        matrix = Numbers(u)
        columns = [turned(half, matrix[k], matrix[2 + k]) for k in range(2)]
        for k, (top, bottom) in enumerate(columns):
            matrix[k], matrix[2 + k] = top, bottom

    turn.__name__ = turn.__qualname__ = name
    return inlined(turn)


def _by_x(half: Complex, top: Complex, bottom: Complex) -> Column:
    def mixed(a: Complex, b: Complex) -> Complex:  # cos a - i sin b
        return Complex(half.re * a.re + half.im * b.im, half.re * a.im - half.im * b.re)

    return mixed(top, bottom), mixed(bottom, top)


def _by_y(half: Complex, top: Complex, bottom: Complex) -> Column:
    return half.re * top - half.im * bottom, half.re * bottom + half.im * top


turn_x = _turning("turn_x", _by_x)
turn_y = _turning("turn_y", _by_y)
turn_z = _turning("turn_z", lambda half, top, bottom: (half.conj() * top, half * bottom))
turn_phase = _turning("turn_phase", lambda half, top, bottom: (top, half * (half * bottom)))


@inlined
def _multiply_fixed(u: Rows, fixed: Rows, slot: Index) -> None:
    """U <- m u for the matrix `slot` of a table (number, 8)."""
    matrix, parts = Numbers(u), [fixed.everywhere(slot * 8 + k) for k in range(8)]
    m00, m01, m10, m11 = (Complex(parts[2 * k], parts[2 * k + 1]) for k in range(4))
    for k in range(2):
        top, bottom = matrix[k], matrix[2 + k]
        matrix[k], matrix[2 + k] = m00 * top + m01 * bottom, m10 * top + m11 * bottom


@inner
def _multiply_atoms(atoms, first, last, fixed, half, u):
    """U <- product of the atoms first..last - 1, u."""
    for atom in range(first, last):
        kind, sign, slot = atoms[atom].kind, atoms[atom].sign, atoms[atom].slot
        if kind == RX:
            turn_x(u, half[0], half[1], slot, sign)
        elif kind == RY:
            turn_y(u, half[0], half[1], slot, sign)
        elif kind == RZ:
            turn_z(u, half[0], half[1], slot, sign)
        elif kind == FIXED:
            _multiply_fixed(u, fixed, slot)
        else:
            turn_phase(u, half[0], half[1], slot, sign)


@inner
def _pair_matrices(op, atoms, fixed, half, u):
    """Both matrices of a pair operation: the product of its atoms, u (2, 8, LANES)."""
    u[0] = 0
    u[0, 0] = 1
    u[0, 6] = 1
    _multiply_atoms(atoms, op.shared, op.zero, fixed, half, u[0])
    for k in range(8):  # not u[1] = u[0]: Numba would compile what it says of shapes that do not fit (5 s)
        for b in range(LANES):
            u[1, k, b] = u[0, k, b]
    _multiply_atoms(atoms, op.zero, op.one, fixed, half, u[0])
    _multiply_atoms(atoms, op.one, op.end, fixed, half, u[1])


@inner
def pair_ends(target, selector, flips, which):
    """Where both numbers of a pair lie that the matrix `which` of an operation acts on, from strides of its qubits."""
    return selector if which else 0, target + selector if flips != which else target


@inner
def _turn_frame(kind, sign, slot, half, frame):
    """See the frame (4, LANES) through a rotation: from behind the gate to before it."""
    first = 1 if kind == RX else 2 if kind == RY else 0
    second = 2 if kind == RX else 0 if kind == RY else 1
    for b in range(LANES):
        cosine = half[0, slot, b] * half[0, slot, b] - half[1, slot, b] * half[1, slot, b]
        sine = half[0, slot, b] * half[1, slot, b]
        sine = sine + sine if sign > 0 else -sine - sine
        x = frame[first, b]
        y = frame[second, b]
        frame[first, b] = cosine * x + sine * y
        frame[second, b] = cosine * y - sine * x


@inner
def _turn_frame_fixed(turn, frame):
    """See the frame through a matrix without angles, given as its rotation (9,) of the three axes."""
    for b in range(LANES):
        x = frame[0, b]
        y = frame[1, b]
        z = frame[2, b]
        for k in range(3):
            frame[k, b] = turn[k] * x + turn[3 + k] * y + turn[6 + k] * z


@inner
def _atom_gradients(atoms, first, last, turns, half, frame, g):
    """Add the gradients of the atoms first..last - 1 to g (n_angles, LANES); turns the frame to before the first."""
    for atom in range(last - 1, first - 1, -1):
        kind, sign, slot = atoms[atom].kind, atoms[atom].sign, atoms[atom].slot
        if kind == FIXED:
            _turn_frame_fixed(turns[slot], frame)
            continue
        weight = sign * 0.5
        axis = 0 if kind == RX else 1 if kind == RY else 2
        for b in range(LANES):
            g[slot, b] += weight * frame[axis, b]
        if kind != RX and kind != RY and kind != RZ:  # a phase: exp(i a / 2) RZ(a)
            for b in range(LANES):
                g[slot, b] -= weight * frame[3, b]
        _turn_frame(kind, sign, slot, half, frame)


@inner
def _pair_gradients(op, atoms, turns, half, sums, g):
    """Add the angles' gradients to g (n_angles, LANES), from sums (2, 4, LANES).

    Both are in double precision. The sums of either matrix: Im(lambda^dagger sigma psi) behind it for X and Y, and of
    both diagonal entries.
    """
    for which in range(2):
        for b in range(LANES):
            zero = sums[which, 2, b]
            one = sums[which, 3, b]
            sums[which, 2, b] = zero - one
            sums[which, 3, b] = zero + one
    _atom_gradients(atoms, op.zero, op.one, turns, half, sums[0], g)
    _atom_gradients(atoms, op.one, op.end, turns, half, sums[1], g)
    for k in range(4):
        for b in range(LANES):
            sums[0, k, b] += sums[1, k, b]
    _atom_gradients(atoms, op.shared, op.zero, turns, half, sums[0], g)


@jit
def matrices(ops, atoms, fixed, half, u):
    """The matrices u (operations, 2, 8, LANES) of all operations, for half (2, n_angles, LANES)."""
    for o in range(ops.shape[0]):
        _pair_matrices(ops[o], atoms, fixed, half, u[o])


@jit
def angle_gradients(ops, atoms, turns, half, sums, first, g_angles):
    """From sums (operations, 2, 4, LANES) to the gradients of a tile's angles, g_angles (batch, n_angles)."""
    g = np.zeros((half.shape[1], LANES), np.float64)
    for o in range(ops.shape[0]):
        _pair_gradients(ops[o], atoms, turns, half, sums[o], g)
    for b in range(min(LANES, g_angles.shape[0] - first)):
        for a in range(g.shape[0]):
            g_angles[first + b, a] = g[a, b]
