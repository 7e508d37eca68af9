r"""The two decompositions of an MPS, each one autograd operation with its own backward.

**Truncating split.** theta = U S V^h, K kept, D discarded; A = U_K and B = U_K^h theta, so that A B is the best rank-k
approximation of theta. The loss depends on the product A B only, hence U_K^h dU_K = 0 may be chosen (horizontal
gauge). First-order perturbation of the eigenvectors of theta theta^h then gives
dU_K = U_D W + (1 - U U^h) dtheta V_K / S_K with

    W_jk = (U_D^h dtheta V_K S_K + S_D V_D^h dtheta^h U_K)_jk / (s_k^2 - s_j^2),   j in D, k in K.

No gap between two kept values appears: degenerate kept values (GHZ, product states) are harmless. Transposing:

    G       = U_D^h gA + S_D V_D^h gB^h
    W_jk    = G_jk / ((s_k - s_j)(s_k + s_j))
    g_theta = U_K gB + U_D (W S_K) V_K^h + U_K (W^h S_D) V_D^h + (1 - U U^h) gA S_K^-1 V_K^h.

Inverses 1/x are taken as x / (x^2 + delta^2) with delta at the level of noise: singular values of noise on both sides
of the cut are the normal case for a rank below the bond, and carry no weight.

What is lost. A change of the state that leads at one bond into a new direction on both sides at once, neither of them
among the kept ones, cannot be seen by a later cotangent. This is the derivative inside the discarded block. It is zero
when no bond is truncated by shape, and small otherwise unless an entangling gate acts exactly as the identity
(its angle exactly zero) on a product state that is entangled later on.

**Moving the centre.** M = Q R moves R into the neighbour B: the state does not change, so dQ is again taken orthogonal
to Q: dQ = (1 - Q Q^h) dM R^-1 and d(R B) = Q^h d(M B). No derivative of a QR is formed; a rank-deficient R is harmless.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backends.errors import refuse_second_derivatives
from backends.mps.ledger import Truncation

# Size of a singular value, or of a gap, relative to the largest, below which it is noise. Well above the rounding
# unit, because a cotangent's rounding error is divided by it, and well below what a state of interest resolves.
_NOISE = {torch.float32: 3e-5, torch.float64: 1e-9}
# Entries of a normalised state below this are zero to LAPACK.
_TINY = 1e-40


def _safe_inverse(values: Tensor, largest: Tensor) -> Tensor:
    """1/x, going smoothly to zero where |x| is at the level of rounding errors of `largest`."""
    noise = largest * _NOISE[values.dtype]
    # The tiny constant keeps an all-zero matrix finite.
    inverse: Tensor = values / (values.square() + noise.square() + torch.finfo(values.dtype).tiny)
    return inverse


def _for_lapack(matrix: Tensor) -> Tensor:
    """In double precision and without entries below 1e-40.

    Schmidt values of rounding size are squared by every further gate, down to 1e-260 after two timesteps. Where squares
    underflow, LAPACK's QR and SVD return NaN from finite input.
    """
    double = matrix.to(torch.promote_types(matrix.dtype, torch.float64))
    return torch.where(double.abs() < _TINY, torch.zeros_like(double), double)


def safe_qr(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Reduced QR of matrices (batch, m, k) of a normalised state."""
    q, r = torch.linalg.qr(_for_lapack(matrix))
    return q.to(matrix.dtype), r.to(matrix.dtype)


def safe_svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Reduced singular value decomposition of matrices (batch, m, k) of a normalised state: U, S, V^h."""
    u, s, vh = torch.linalg.svd(_for_lapack(matrix), full_matrices=False)
    return u.to(matrix.dtype), s.to(matrix.real.dtype), vh.to(matrix.dtype)


def safe_pinv_adjoint(matrix: Tensor) -> Tensor:
    """Adjoint of the pseudo-inverse of matrices (batch, m, k), as (batch, m, k), without directions of noise."""
    u, s, vh = safe_svd(matrix)
    return torch.matmul(u * _safe_inverse(s, s[:, :1])[:, None, :], vh)


class _TruncatingSplit(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        theta: Tensor,  # (batch, rows, columns)
        truncation: Truncation,
    ) -> tuple[Tensor, Tensor, Tensor]:
        u, s, vh = safe_svd(theta)
        weights = s**2 / (s**2).sum(1, keepdim=True)
        kept, max_bond = truncation.keep(weights), truncation.max_bond
        discarded = torch.where(kept, torch.zeros_like(weights), weights).sum(1)
        a = u[:, :, :max_bond]
        b = (s * kept)[:, :max_bond, None] * vh[:, :max_bond]
        ctx.save_for_backward(u, s, vh, kept)
        ctx.mark_non_differentiable(discarded)
        ctx.set_materialize_grads(True)
        return a, b, discarded

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        refuse_second_derivatives("mps")
        u, s, vh, kept = ctx.saved_tensors
        missing = s.shape[1] - grads[0].shape[2]
        keep = kept.to(s.dtype)
        # Zero columns and rows for what was discarded, so that one matrix product serves kept and discarded.
        g_a = torch.nn.functional.pad(grads[0], (0, missing)) * keep[:, None, :]
        g_b = torch.nn.functional.pad(grads[1], (0, 0, 0, missing)) * keep[:, :, None]
        largest = s[:, :1, None]
        uh_ga = u.mH @ g_a
        gap, total = s[:, None, :] - s[:, :, None], s[:, None, :] + s[:, :, None]
        pairs = (1 - keep)[:, :, None] * keep[:, None, :]
        w = (
            (uh_ga + s[:, :, None] * (vh @ g_b.mH))
            * _safe_inverse(gap, largest)
            * _safe_inverse(total, largest)
            * pairs
        )
        g = g_b + ((w + w.mH) * s[:, None, :]) @ vh
        outside = (g_a - u @ uh_ga) * _safe_inverse(s, s[:, :1])[:, None, :]
        return u @ g + outside @ vh, None


class _MoveCentre(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        centre: Tensor,  # (batch, rows, bond)
        neighbour: Tensor,  # (batch, bond, columns)
    ) -> tuple[Tensor, Tensor]:
        q, r = safe_qr(centre)
        ctx.save_for_backward(q, r, neighbour)
        ctx.set_materialize_grads(True)
        return q, r @ neighbour

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        refuse_second_derivatives("mps")
        q, r, neighbour = ctx.saved_tensors
        g_q, g_moved = grads
        g_centre = q @ (g_moved @ neighbour.mH)
        if q.shape[1] > q.shape[2]:  # otherwise Q is square and nothing lies outside it
            g_centre = g_centre + (g_q - q @ (q.mH @ g_q)) @ safe_pinv_adjoint(r)
        return g_centre, r.mH @ g_moved


def split_right(theta: Tensor, truncation: Truncation) -> tuple[Tensor, Tensor, Tensor]:
    """Split theta (batch, rows, columns) = A B, truncated, the centre going right.

    A (batch, rows, max_bond) is an isometry, B (batch, max_bond, columns) is not normalised; what is dropped within
    `max_bond` is set to zero, so that shapes stay the same. Returns A, B and the discarded weight epsilon (batch,) =
    sum of discarded s^2 / sum of all s^2.
    """
    a, b, discarded = _TruncatingSplit.apply(theta, truncation)  # type: ignore[no-untyped-call]
    return a, b, discarded


def split_left(theta: Tensor, truncation: Truncation) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror image of `split_right`: A carries the centre, B (batch, max_bond, columns) is an isometry."""
    b, a, discarded = split_right(theta.mT, truncation)
    return a.mT, b.mT, discarded


def move_right(centre: Tensor, neighbour: Tensor) -> tuple[Tensor, Tensor]:
    """Move the centre from (batch, rows, bond) into its right neighbour (batch, bond, columns); the product stays."""
    q, moved = _MoveCentre.apply(centre, neighbour)  # type: ignore[no-untyped-call]
    return q, moved


def move_left(neighbour: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Move the centre from (batch, bond, columns) into its left neighbour (batch, rows, bond); the product stays."""
    q, moved = move_right(centre.mT, neighbour.mT)
    return moved.mT, q.mT
