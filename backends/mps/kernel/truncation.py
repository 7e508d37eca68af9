"""Keeping the best subspace of a bond, forward and backward: what a split and a stop of a far gate have in common.

Of M the left singular vectors U_K stay behind and U_K^h M goes on (for a far gate U is that of M X, see `far`). How the
kept subspace turns into the discarded one, W, follows from the cotangents of both; so does the cotangent of M.
"""

from __future__ import annotations

from backends.kernels.algebra import (
    ADDS,
    SETS,
    add_scaled,
    clear,
    copy,
    divide_gaps,
    multiply,
    multiply_adjoint_a,
    multiply_adjoint_b,
    real_overlap,
)
from backends.kernels.compiling import strict_inner
from backends.kernels.decomposition import left_vectors, select
from backends.kernels.vectors import LANES
from backends.kernels.views import first_rows, last_columns, last_rows, matrix


@strict_inner
def cut(m, weighed, vectors, rest, bond, limits, found, work):
    """Decompose M as it is `weighed`: U into `vectors`, what is kept of it into `found`, U^h M into `rest`."""
    left_vectors(weighed, vectors, work)
    select(work.squares, weighed.rows, min(weighed.rows, weighed.columns), bond, limits, found)
    multiply_adjoint_a(rest, vectors, m, SETS)


@strict_inner
def turn(gaps, vectors, rest, g_isometry, g_rest, found, first, noise):
    """W, in the area `gaps`, from the cotangents of U_K and U_K^h M; what is discarded begins at `first`."""
    w = matrix(gaps, 0, vectors.columns - first, g_isometry.columns)
    multiply_adjoint_a(w, last_columns(vectors, first), g_isometry, SETS)
    multiply_adjoint_b(w, last_rows(rest, first), g_rest, ADDS)
    divide_gaps(w, found.values, found.kept, first, noise)
    return w


@strict_inner
def pull_back(out, pulled, vectors, w, g_rest, rest, first):
    """The cotangent of M, U ((g_rest, 0) + (W^h R_D, W R_K)); its basis U is used in `pulled`. `out` may be `rest`."""
    kept = first_rows(pulled, w.columns)
    clear(pulled)
    copy(g_rest, kept)
    multiply_adjoint_a(kept, w, last_rows(rest, first), ADDS)
    multiply(last_rows(pulled, first), w, first_rows(rest, w.columns), ADDS)
    multiply(out, vectors, pulled, SETS)


@strict_inner
def project_out(x, g, overlap):
    """g <- g - Re <x, g> x, the adjoint of making x a unit vector, but for the factor. `overlap`: a row to work in."""
    real_overlap(x, g, overlap)
    for lane in range(LANES):
        overlap[0, lane] = -overlap[0, lane]
    add_scaled(g, x, overlap)
