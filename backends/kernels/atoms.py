"""The 2 x 2 matrices of the kernel: from angles to the matrices of pair operations, and from cotangents back to angles.

A matrix of all lanes is an array (8, LANES): real and imaginary parts of u00, u01, u10, u11. Cosines and sines of the
half angles come as `half` (2, n_angles, LANES).

**Gradients.** Of a gate V = exp(-i a sigma / 2) between the cotangent lambda and the state psi behind it,
dL/da = Im(lambda^dagger sigma psi) / 2. All that the kernel sums up per pair operation are therefore the four numbers
s_k = Im(lambda^dagger sigma_k psi), sigma = X, Y, Z, 1: the *frame*. A gate before another one sees the frame through
it, and V^dagger sigma_k V only turns the first three: one rotation in the plane of the other two axes for each gate.
"""

from __future__ import annotations

from backends.kernels.compiling import inner
from backends.kernels.pairs import FIXED, RX, RY, RZ
from backends.kernels.simd import LANES, turn_phase, turn_x, turn_y, turn_z


@inner
def _multiply_fixed(matrix, u):
    """U <- matrix u for a matrix (8,) without angles."""
    for column in range(2):
        for b in range(LANES):
            tr = u[2 * column, b]
            ti = u[2 * column + 1, b]
            br = u[4 + 2 * column, b]
            bi = u[5 + 2 * column, b]
            for row in range(2):
                m = matrix[4 * row : 4 * row + 4]
                u[4 * row + 2 * column, b] = m[0] * tr - m[1] * ti + m[2] * br - m[3] * bi
                u[4 * row + 2 * column + 1, b] = m[0] * ti + m[1] * tr + m[2] * bi + m[3] * br


@inner
def _multiply_atoms(atoms, first, last, fixed, half, u):
    """U <- product of the atoms first..last - 1, u."""
    for atom in range(first, last):
        kind, sign, slot = atoms[atom, 0], atoms[atom, 1], atoms[atom, 2]
        if kind == RX:
            turn_x(u, half[0], half[1], slot, sign)
        elif kind == RY:
            turn_y(u, half[0], half[1], slot, sign)
        elif kind == RZ:
            turn_z(u, half[0], half[1], slot, sign)
        elif kind == FIXED:
            _multiply_fixed(fixed[slot], u)
        else:
            turn_phase(u, half[0], half[1], slot, sign)


@inner
def pair_matrices(op, atoms, fixed, half, u):
    """Both matrices of a pair operation: the product of its atoms, u (2, 8, LANES)."""
    u[0] = 0
    u[0, 0] = 1
    u[0, 6] = 1
    _multiply_atoms(atoms, op[3], op[4], fixed, half, u[0])
    for k in range(8):  # not u[1] = u[0]: Numba would compile what it says of shapes that do not fit (5 s)
        for b in range(LANES):
            u[1, k, b] = u[0, k, b]
    _multiply_atoms(atoms, op[4], op[5], fixed, half, u[0])
    _multiply_atoms(atoms, op[5], op[6], fixed, half, u[1])


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
        kind, sign, slot = atoms[atom, 0], atoms[atom, 1], atoms[atom, 2]
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
def pair_gradients(op, atoms, turns, half, sums, g):
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
    _atom_gradients(atoms, op[4], op[5], turns, half, sums[0], g)
    _atom_gradients(atoms, op[5], op[6], turns, half, sums[1], g)
    for k in range(4):
        for b in range(LANES):
            sums[0, k, b] += sums[1, k, b]
    _atom_gradients(atoms, op[3], op[4], turns, half, sums[0], g)
