"""What each single operation of the kernels must compute, in a few lines of NumPy. Nothing of ours.

Arrays end in the samples' axis, the lanes: matrices are (m, n, lanes), vectors (length, lanes), real rows (lanes,).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]], [[1, 0], [0, 1]]])  # X, Y, Z, 1


# Algebra.


def multiply(a: Array, b: Array) -> Array:
    """A B."""
    return np.einsum("ikl,kjl->ijl", a, b)


def without_tiny(a: Array, tiny: float) -> Array:
    """Zero instead of parts smaller than `tiny`."""
    real, imag = (np.where(np.abs(part) >= tiny, part, 0) for part in (a.real, a.imag))
    return real + 1j * imag


def square_norms(x: Array) -> Array:
    """Of every row of a matrix."""
    return np.sum(np.abs(x) ** 2, axis=1)


def real_overlap(x: Array, y: Array) -> Array:
    """Re sum conj(x) y."""
    return np.sum(np.conj(x) * y, axis=(0, 1)).real


def divided_gaps(g: Array, s: Array, kept: Array, first: int, noise: float) -> Array:
    """G[j, k] / (s_k^2 - s_j^2) for discarded j and kept k, else 0; rows of G begin at j = first."""
    level = (noise * s[0]) ** 4 + 1e-300  # 0 / 0 is 0
    w = np.zeros_like(g)
    for i in range(g.shape[0]):
        for k in range(g.shape[1]):
            minus, plus = s[k] - s[first + i], s[k] + s[first + i]
            inverse = minus**3 / (minus**4 + level) * plus**3 / (plus**4 + level)
            w[i, k] = g[i, k] * inverse * (1 - kept[first + i]) * kept[k]
    return w


# Reflections and rotations.


def householder(x: Array) -> tuple[Array, Array, Array]:
    """v, beta and tau of x (length, lanes): (1 - conj(tau) v v^h) x = beta e_0, v_0 = 1, beta real, away from x_0.

    With x - beta e_0 = (x_0 - beta) v and H x = beta e_0 for tau = (beta - x_0) / beta; x itself is e_0 if tau = 0.
    """
    beta = -np.where(x[0].real >= 0, 1, -1) * np.sqrt(np.sum(np.abs(x) ** 2, axis=0))
    turned = np.any(x[1:] != 0, axis=0) | (x[0].imag != 0)
    beta = np.where(turned, beta, x[0].real)
    v = np.where(turned, x / np.where(turned, x[0] - beta, 1), 0)
    v[0] = 1
    return v, beta, np.where(turned, (beta - x[0]) / np.where(turned, beta, 1), 0)


def reflect(v: Array, tau: Array, a: Array) -> Array:
    """(1 - tau v v^h) a for the columns of a (length, count, lanes)."""
    return a - tau * v[:, None] * np.einsum("kl,kcl->cl", v.conj(), a)


def first_negligible(d: Array, e: Array, first: int, size: int, floor: float, relative: float) -> int:
    """Smallest m >= first with |e_m| <= relative (|d_m| + |d_m+1|) + floor, or size - 1; of one lane."""
    for m in range(first, size - 1):
        if abs(e[m]) <= relative * (abs(d[m]) + abs(d[m + 1])) + floor:
            return m
    return size - 1


def tridiagonal(d: Array, e: Array) -> Array:
    """The symmetric matrix of one lane."""
    return np.diag(d) + np.diag(e, 1) + np.diag(e, -1)


def ql_step(t: Array) -> Array:
    """L Q + mu where T - mu = Q L; mu is the eigenvalue of T's first 2 x 2 nearest to T_00 (Wilkinson's shift)."""
    nearest = np.argmin(np.abs(np.linalg.eigvalsh(t[:2, :2]) - t[0, 0]))
    shift = np.linalg.eigvalsh(t[:2, :2])[nearest] * np.eye(len(t))
    q, r = np.linalg.qr((t - shift)[::-1, ::-1])
    result: Array = (r @ q)[::-1, ::-1] + shift
    return result


def rotations(cosines: Array, sines: Array, first: int, top: int, size: int) -> Array:
    """The product of the rotations of the columns i, i + 1, for i = top - 1 down to first; of one lane."""
    q = np.eye(size)
    for i in range(top - 1, first - 1, -1):
        turn = np.eye(size)
        turn[i : i + 2, i : i + 2] = [[cosines[i], sines[i]], [-sines[i], cosines[i]]]
        q = q @ turn
    return q
