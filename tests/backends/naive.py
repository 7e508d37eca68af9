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
