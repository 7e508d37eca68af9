"""The 2 x 2 matrices of the kernel: from angles to the matrices of pair operations, and from cotangents back to angles.

A matrix of all lanes is an array (8, LANES): real and imaginary parts of u00, u01, u10, u11. Cosines and sines of the
half angles come as `half` (n_angles, 2, LANES).
"""

from __future__ import annotations

import numba as nb

from backends.statevector.pairs import FIXED, RX, RY, RZ, U3, P
from backends.statevector.simd import LANES


def jit(function):
    """Compile for the argument types met, without the interpreter lock; kept on disk where the disk can be written."""
    options = {"fastmath": True, "nogil": True, "error_model": "numpy"}
    try:
        return nb.njit(function, cache=True, **options)
    except RuntimeError:  # numba finds no folder to keep it in
        return nb.njit(function, **options)


@jit
def _atom(kind, sign, slot, fixed, half, u):
    """Matrix of one atom for all lanes: u (8, LANES) holds re, im of u00, u01, u10, u11; half (n_angles, 2, LANES)."""
    if kind == FIXED:
        for k in range(8):
            for b in range(LANES):
                u[k, b] = fixed[slot, k]
        return
    for k in range(8):
        for b in range(LANES):
            u[k, b] = 0
    for b in range(LANES):
        c = half[slot, 0, b]
        s = half[slot, 1, b] * sign
        if kind == RX:
            u[0, b] = c
            u[3, b] = -s
            u[5, b] = -s
            u[6, b] = c
        elif kind == RY:
            u[0, b] = c
            u[2, b] = -s
            u[4, b] = s
            u[6, b] = c
        elif kind == RZ:
            u[0, b] = c
            u[1, b] = -s
            u[6, b] = c
            u[7, b] = s
        elif kind == P:
            u[0, b] = 1
            u[6, b] = c * c - s * s
            u[7, b] = 2 * c * s
        else:
            cp = half[slot + 1, 0, b]
            sp = half[slot + 1, 1, b]
            cl = half[slot + 2, 0, b]
            sl = half[slot + 2, 1, b]
            pr = cp * cp - sp * sp
            pi = 2 * cp * sp
            lr = cl * cl - sl * sl
            li = 2 * cl * sl
            u[0, b] = c
            u[2, b] = -lr * s
            u[3, b] = -li * s
            u[4, b] = pr * s
            u[5, b] = pi * s
            u[6, b] = (pr * lr - pi * li) * c
            u[7, b] = (pr * li + pi * lr) * c


@jit
def _multiply(a, b_, out):
    """out = a b for 2 x 2 complex matrices of all lanes."""
    for i in range(2):
        for j in range(2):
            for b in range(LANES):
                ar = a[4 * i, b]
                ai = a[4 * i + 1, b]
                br = b_[2 * j, b]
                bi = b_[2 * j + 1, b]
                cr = a[4 * i + 2, b]
                ci = a[4 * i + 3, b]
                dr = b_[4 + 2 * j, b]
                di = b_[5 + 2 * j, b]
                out[4 * i + 2 * j, b] = ar * br - ai * bi + cr * dr - ci * di
                out[4 * i + 2 * j + 1, b] = ar * bi + ai * br + cr * di + ci * dr


@jit
def _multiply_adjoint_right(a, b_, out):
    """out = a b^dagger."""
    for i in range(2):
        for j in range(2):
            for b in range(LANES):
                ar = a[4 * i, b]
                ai = a[4 * i + 1, b]
                br = b_[4 * j, b]
                bi = -b_[4 * j + 1, b]
                cr = a[4 * i + 2, b]
                ci = a[4 * i + 3, b]
                dr = b_[4 * j + 2, b]
                di = -b_[4 * j + 3, b]
                out[4 * i + 2 * j, b] = ar * br - ai * bi + cr * dr - ci * di
                out[4 * i + 2 * j + 1, b] = ar * bi + ai * br + cr * di + ci * dr


@jit
def _multiply_adjoint_left(a, b_, out):
    """out = a^dagger b."""
    for i in range(2):
        for j in range(2):
            for b in range(LANES):
                ar = a[2 * i, b]
                ai = -a[2 * i + 1, b]
                br = b_[2 * j, b]
                bi = b_[2 * j + 1, b]
                cr = a[4 + 2 * i, b]
                ci = -a[5 + 2 * i, b]
                dr = b_[4 + 2 * j, b]
                di = b_[5 + 2 * j, b]
                out[4 * i + 2 * j, b] = ar * br - ai * bi + cr * dr - ci * di
                out[4 * i + 2 * j + 1, b] = ar * bi + ai * br + cr * di + ci * dr


@jit
def _atom_gradient(kind, sign, slot, half, h, g):
    """Add Re sum conj(h) dA/dangle to g (n_angles, LANES); h (8, LANES) is the cotangent of the atom's matrix."""
    for b in range(LANES):
        c = half[slot, 0, b]
        s = half[slot, 1, b] * sign
        if kind == RX:
            g[slot, b] += sign * 0.5 * (-s * (h[0, b] + h[6, b]) - c * (h[3, b] + h[5, b]))
        elif kind == RY:
            g[slot, b] += sign * 0.5 * (-s * (h[0, b] + h[6, b]) - c * h[2, b] + c * h[4, b])
        elif kind == RZ:
            g[slot, b] += sign * 0.5 * (-s * (h[0, b] + h[6, b]) - c * h[1, b] + c * h[7, b])
        elif kind == P:
            g[slot, b] += -2 * c * s * h[6, b] + (c * c - s * s) * h[7, b]
        elif kind == U3:
            cp = half[slot + 1, 0, b]
            sp = half[slot + 1, 1, b]
            cl = half[slot + 2, 0, b]
            sl = half[slot + 2, 1, b]
            pr = cp * cp - sp * sp
            pi = 2 * cp * sp
            lr = cl * cl - sl * sl
            li = 2 * cl * sl
            qr = pr * lr - pi * li
            qi = pr * li + pi * lr
            g[slot, b] += 0.5 * (
                -s * h[0, b]
                - c * (lr * h[2, b] + li * h[3, b])
                + c * (pr * h[4, b] + pi * h[5, b])
                - s * (qr * h[6, b] + qi * h[7, b])
            )
            low = s * (pr * h[5, b] - pi * h[4, b])
            both = c * (qr * h[7, b] - qi * h[6, b])
            g[slot + 1, b] += low + both
            g[slot + 2, b] += both - s * (lr * h[3, b] - li * h[2, b])


@jit
def pair_matrices(op, atoms, fixed, half, u, work):
    """Both matrices of a pair operation: the product of its atoms, u (2, 8, LANES)."""
    for which in range(2):
        first = op[3 + 2 * which]
        last = op[4 + 2 * which]
        for k in range(8):
            for b in range(LANES):
                u[which, k, b] = 0
        for b in range(LANES):
            u[which, 0, b] = 1
            u[which, 6, b] = 1
        for atom in range(first, last):
            _atom(atoms[atom, 0], atoms[atom, 1], atoms[atom, 2], fixed, half, work[0])
            if atom == first:
                for k in range(8):
                    for b in range(LANES):
                        u[which, k, b] = work[0, k, b]
            else:
                _multiply(work[0], u[which], work[1])
                for k in range(8):
                    for b in range(LANES):
                        u[which, k, b] = work[1, k, b]


@jit
def pair_gradients(op, atoms, fixed, half, g_u, g, work):
    """From the cotangents of both matrices, g_u (2, 8, LANES), to those of the angles, added to g (n_angles, LANES)."""
    for which in range(2):
        first = op[3 + 2 * which]
        last = op[4 + 2 * which]
        count = last - first
        # work[2 + j]: product of the atoms before atom j; work[0]: this atom; work[1]: scratch.
        for j in range(count - 1):
            _atom(atoms[first + j, 0], atoms[first + j, 1], atoms[first + j, 2], fixed, half, work[0])
            if j == 0:
                for k in range(8):
                    for b in range(LANES):
                        work[3, k, b] = work[0, k, b]
            else:
                _multiply(work[0], work[2 + j], work[3 + j])
        for j in range(count - 1, -1, -1):
            kind = atoms[first + j, 0]
            sign = atoms[first + j, 1]
            slot = atoms[first + j, 2]
            if kind != FIXED:
                if j == 0:
                    _atom_gradient(kind, sign, slot, half, g_u[which], g)
                else:
                    _multiply_adjoint_right(g_u[which], work[2 + j], work[1])
                    _atom_gradient(kind, sign, slot, half, work[1], g)
            if j > 0:
                _atom(kind, sign, slot, fixed, half, work[0])
                _multiply_adjoint_left(work[0], g_u[which], work[1])
                for k in range(8):
                    for b in range(LANES):
                        g_u[which, k, b] = work[1, k, b]
