"""Readouts of a tile, and the way back: from their cotangents to the observable that acts on the state."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.compiling import inner, jit
from backends.kernels.rows import add_diagonal, fold_rows, square_rows
from backends.kernels.vectors import LANES

# Rows whose squares are folded at a time: 8 KiB in single precision.
_CHUNK_BITS = 8
CHUNK = 1 << _CHUNK_BITS


class Observable(NamedTuple):
    """sum_k w_k O_k: the weights of X and Y in flips (n, 2, LANES), Z and constant as a diagonal.

    Row i of the diagonal is high[i's high bits] + low[i's low bits].
    """

    flips: Any
    high: Any
    low: Any


@jit
def weigh(begin, end, sums, psi, n):
    """Add the rows begin..end - 1 to sums (n + 1, LANES): of +-|psi|^2 by every qubit's bit, and of |psi|^2.

    The rows are folded in chunks that stay in the first-level cache; both ends are multiples of a chunk. sums is in
    double precision.
    """
    bits = min(n, _CHUNK_BITS)
    chunk = 1 << bits
    weights = np.empty((chunk, LANES), psi.re.dtype)
    for first in range(begin, end, chunk):
        square_rows(psi, first, chunk, weights)
        for bit in range(bits):
            fold_rows(weights, chunk >> (bit + 1), sums, n - 1 - bit)
        for bit in range(bits, n):
            q = n - 1 - bit
            for b in range(LANES):
                sums[q, b] += weights[0, b] if not first >> bit & 1 else -weights[0, b]
        for b in range(LANES):
            sums[n, b] += weights[0, b]


@jit
def finish_readouts(first, flips, weights, z, norms):
    """From the sums of a tile to z (batch, 3n) of the normalised state and norms (batch,)."""
    n = flips.shape[0]
    for b in range(min(LANES, z.shape[0] - first)):
        norm = weights[n, b]
        norms[first + b] = norm
        scale = 1 / norm if norm > 0 else 0
        for q in range(n):
            z[first + b, q] = 2 * flips[q, 0, b] * scale
            z[first + b, n + q] = 2 * flips[q, 1, b] * scale
            z[first + b, 2 * n + q] = weights[q, b] * scale


@jit
def readout_cotangents(first, z, norms, g_z, observable):
    """From g_z (batch, 3n) to the observable that acts on psi: (2 / norm) sum_k g_k (O_k - z_k)."""
    n = observable.flips.shape[0]
    weights = np.empty((n, LANES), z.dtype)
    start = np.zeros((2, LANES), z.dtype)
    last = z.shape[0] - 1
    for b in range(LANES):
        sample = min(first + b, last)
        scale = 2 / norms[sample] if norms[sample] > 0 else 0
        for q in range(n):
            observable.flips[q, 0, b] = scale * g_z[sample, q]
            observable.flips[q, 1, b] = scale * g_z[sample, n + q]
            weights[q, b] = scale * g_z[sample, 2 * n + q]
        for k in range(3 * n):
            start[1, b] -= scale * g_z[sample, k] * z[sample, k]
    low_bits = n // 2
    _sign_sums(weights, 0, n - low_bits, start[1], observable.high)
    _sign_sums(weights, n - low_bits, low_bits, start[0], observable.low)


@inner
def _sign_sums(weights, first_qubit, n_bits, start, table):
    """table[i] = start + sum over the qubits first_qubit.. of +-weights, the signs by the bits of i, highest first."""
    for b in range(LANES):
        table[0, b] = start[b]
    filled = 1
    for bit in range(n_bits):  # lowest bit first: each doubles the part of the table that is filled
        q = first_qubit + n_bits - 1 - bit
        for i in range(filled):
            for b in range(LANES):
                table[filled + i, b] = table[i, b] - weights[q, b]
                table[i, b] += weights[q, b]
        filled *= 2


@inner
def add_observable(psi, cotangent, base, rows_of, observable):
    """lambda += D psi on a block, D the diagonal of an observable."""
    high, low = observable.high, observable.low
    low_bits = observable.flips.shape[0] // 2
    for j in range(rows_of.shape[0]):
        row = base + rows_of[j]
        add_diagonal(psi, cotangent, j, low, row & (low.shape[0] - 1), high, row >> low_bits)
