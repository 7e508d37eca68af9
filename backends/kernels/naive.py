"""What each single operation of the kernels must compute, in a few lines of NumPy: for readers, and for tests.

Arrays end in the samples' axis, the lanes: matrices are (m, n, lanes), vectors (length, lanes), real rows (lanes,).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # of NumPy
PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]], [[1, 0], [0, 1]]])  # X, Y, Z, 1


PROJECTORS = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]]])  # |0><0|, |1><1|


# Pairs of numbers x[first], x[second] (each (pairs, lanes)) of a vector x (length, lanes); see `turns`.


def row_pairs(count: int, low: int, high: int, first: int, second: int) -> tuple[Array, Array]:
    """The places of the pairs: from `count` rows, those whose bits `low` and `high` are zero."""
    rows = [row for row in range(4 * count) if not row & low and not row & high][:count]
    return np.array(rows) + first, np.array(rows) + second


def number_pairs(
    outer: int, outer_stride: int, inner: int, inner_stride: int, run: int, first: int, second: int
) -> tuple[Array, Array]:
    """Likewise: from i outer_stride + j inner_stride + k."""
    places = np.add.outer(
        np.add.outer(np.arange(outer) * outer_stride, np.arange(inner) * inner_stride), np.arange(run)
    )
    return places.ravel() + first, places.ravel() + second


def rotate(u: Array, x: Array, first: Array, second: Array) -> Array:
    """(a, b) <- u (a, b) for u (2, 2, lanes)."""
    y = x.copy()
    y[first], y[second] = np.einsum("abl,bpl->apl", u, [x[first], x[second]])
    return y


def adjoint(u: Array) -> Array:
    """u^dagger (2, 2, lanes)."""
    return u.conj().swapaxes(0, 1)


def frame(x: Array, y: Array, first: Array, second: Array) -> Array:
    """Im sum y^dagger sigma x (4, lanes) for sigma = X, Y, |0><0| and |1><1|."""
    sigma = np.concatenate([PAULIS[:2], PROJECTORS])
    ket, bra = [x[first], x[second]], np.conj([y[first], y[second]])
    return np.einsum("apl,sab,bpl->sl", bra, sigma, ket).imag


def overlaps(bra: Array, ket: Array, first: Array, second: Array) -> Array:
    """Sum conj(bra_0) ket_1, real and imaginary part, then Re sum conj(bra_0) ket_0, and of 1 likewise: (4, lanes)."""
    across, zero, one = (
        np.sum(bra[i].conj() * ket[j], axis=0) for i, j in ((first, second), (first, first), (second, second))
    )
    return np.array([across.real, across.imag, zero.real, one.real])


def plus_paulis(w: Array, x: Array, y: Array, first: Array, second: Array) -> Array:
    """y + (w_0 X + w_1 Y + ...) x for real rows w (up to 3, lanes)."""
    result = y.copy()
    pauli = np.einsum("sl,sab->abl", w, PAULIS[: len(w)])
    moved = np.einsum("abl,bpl->apl", pauli, [x[first], x[second]])
    result[first] += moved[0]
    result[second] += moved[1]
    return result


# Rows; see `rows`.


def squares(psi: Array) -> Array:
    """|psi|^2."""
    return np.abs(psi) ** 2


def folded(weights: Array) -> tuple[Array, Array]:
    """Sums of two neighbouring rows each, and the sum of their differences (lanes,)."""
    return weights[::2] + weights[1::2], np.sum(weights[::2] - weights[1::2], axis=0)


# Tiles.


def to_lanes(batch: Array, first: int, lanes: int) -> Array:
    """Numbers (numbers, lanes) of the samples `first`.. of a batch (samples, numbers, 2); the last one is repeated."""
    samples = batch[np.minimum(first + np.arange(lanes), len(batch) - 1)]
    return (samples[..., 0] + 1j * samples[..., 1]).T


# Matrices of operations and gradients of their angles; see `atoms`.


def atom(kind: str, angle: Array) -> Array:
    """exp(-i a sigma / 2) for "x", "y", "z", and P(a) = diag(1, exp(i a)) for "p": (2, 2, lanes)."""
    if kind == "p":
        return np.array([[np.ones_like(angle), np.zeros_like(angle)], [np.zeros_like(angle), np.exp(1j * angle)]])
    sigma = PAULIS["xyz".index(kind)][..., None]
    return np.cos(angle / 2) * PAULIS[3][..., None] - 1j * np.sin(angle / 2) * sigma


def chain(matrices: list[Array]) -> Array:
    """The product of matrices (2, 2, lanes), the first to act first."""
    product = np.broadcast_to(PAULIS[3][..., None], (2, 2, 1))
    for matrix in matrices:
        product = np.einsum("abl,bcl->acl", matrix, product)
    return product


def angle_gradient(kind: str, outer: Array) -> Array:
    """Im tr(sigma M) / 2 (lanes,) of the gate's generator, M = sum psi lambda^dagger (2, 2, lanes) behind the gate."""
    sigma = (PAULIS[2] - PAULIS[3]) if kind == "p" else PAULIS["xyz".index(kind)]
    return np.einsum("ab,bal->l", sigma, outer).imag / 2


def before(matrix: Array, outer: Array) -> Array:
    """M before a gate: V^dagger M V."""
    return chain([matrix, outer, adjoint(matrix)])


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
    return (r @ q)[::-1, ::-1] + shift


def rotations(cosines: Array, sines: Array, first: int, top: int, size: int) -> Array:
    """The product of the rotations of the columns i, i + 1, for i = top - 1 down to first; of one lane."""
    q = np.eye(size)
    for i in range(top - 1, first - 1, -1):
        turn = np.eye(size)
        turn[i : i + 2, i : i + 2] = [[cosines[i], sines[i]], [-sines[i], cosines[i]]]
        q = q @ turn
    return q


# Decompositions, of the matrix (m, n) of one lane.


def left_vectors(a: Array, wanted: int) -> tuple[Array, Array]:
    """The projector on the first left singular vectors, and all singular values, largest first."""
    u, s, _ = np.linalg.svd(a)
    return u[:, :wanted] @ u[:, :wanted].conj().T, s


def select(squares: Array, bond: int, cutoff: float, target: float) -> tuple[Array, float]:
    """Which squared singular values are kept, and the share of the others; a negative target is none."""
    shares = np.maximum(squares, 0) / np.sum(np.maximum(squares, 0))
    lost = np.cumsum(shares[::-1])[::-1]  # if this one went, and all after it
    kept = (np.arange(len(shares)) < bond) & ((cutoff == 0) | (shares > cutoff)) & (lost > target)
    kept[0] = True
    return kept, float(np.sum(shares[~kept]))
