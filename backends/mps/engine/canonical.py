r"""Bringing a stretch of arbitrary site tensors into canonical form, as one autograd operation.

Carrying a gate between distant blocks leaves tensors that are no isometries, often rank-deficient ones. Differentiating
the QR of each of them alone loses tangent directions then (a null column of one tensor need not be a null direction of
the state). The state itself is untouched, so the backward needs no derivative of any QR:

1. The outputs A_1 ... A_{m-1} C represent the state psi, and their cotangents g_i a cotangent of it. With the tail
   right of site i factored as L_i Q_i (Q_i an isometry), the tangent vector that reproduces g_i on moves of A_i
   orthogonal to itself is X_i = (1 - A_i A_i^h) g_i L_i^-h, followed by Q_i. Together they are
   lambda = sum_i A_1 ... A_{i-1} X_i Q_i + A_1 ... A_{m-1} g_C.
2. The inputs T_1 ... T_m represent the same psi, so their cotangents are those of Re <lambda | T_1 ... T_m>, a product
   of tensors that autograd differentiates exactly.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backends.errors import refuse_second_derivatives
from backends.mps.engine.split import safe_pinv_adjoint, safe_qr


class _Canonicalise(torch.autograd.Function):
    """Sites (batch, left, width, right) -> the same stretch, isometries from the left and the centre in the last."""

    @staticmethod
    def forward(ctx: Any, *sites: Tensor) -> tuple[Tensor, ...]:
        outputs, carried = [], sites[0]
        for following in sites[1:]:
            q, r = safe_qr(carried.flatten(1, 2))
            outputs.append(q.reshape(*carried.shape[:3], -1))
            carried = (r @ following.flatten(2)).reshape(following.shape[0], -1, *following.shape[2:])
        outputs.append(carried)
        ctx.save_for_backward(*sites, *outputs)
        ctx.set_materialize_grads(True)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        refuse_second_derivatives("mps")
        saved = ctx.saved_tensors  # once: torch's checkpoints hand them out a single time
        half = len(saved) // 2
        inputs, outputs = saved[:half], saved[half:]
        cotangent = _tangent_vector(outputs, grads)
        with torch.enable_grad():
            leaves = [site.detach().requires_grad_() for site in inputs]
            overlap = _overlap(cotangent, leaves).real.sum()
        return torch.autograd.grad(overlap, leaves)


def _tangent_vector(outputs: tuple[Tensor, ...], grads: tuple[Tensor, ...]) -> list[Tensor]:
    """The tangent vector lambda as an MPS: its bonds join the bonds of the A_i (before X) and of the Q_i (after X)."""
    tail = outputs[-1]
    tails: list[Tensor] = []
    changes: list[Tensor] = []
    for output, grad in zip(reversed(outputs[:-1]), reversed(grads[:-1]), strict=True):
        q, l_transposed = safe_qr(tail.flatten(2).mT)  # tail = L Q
        tails.append(q.mT.reshape(tail.shape[0], -1, *tail.shape[2:]))
        lower = l_transposed.mT  # (batch, bond of A, bond of Q)
        a, g = output.flatten(1, 2), grad.flatten(1, 2)
        x = (g - a @ (a.mH @ g)) @ safe_pinv_adjoint(lower)
        changes.append(x.reshape(*output.shape[:3], -1))
        tail = (output.flatten(1, 2) @ lower).reshape(*output.shape[:3], -1)
    tails.reverse()
    changes.reverse()
    sites = []
    for index, (output, change) in enumerate(zip(outputs[:-1], changes, strict=True)):
        above = torch.cat([output, change], 3)
        if index > 0:
            after = tails[index - 1]
            below = torch.cat([after.new_zeros(*after.shape[:3], output.shape[3]), after], 3)
            above = torch.cat([above, below], 1)
        sites.append(above)
    sites.append(torch.cat([grads[-1], tails[-1]], 1))
    return sites


def _overlap(bra: list[Tensor], ket: list[Tensor]) -> Tensor:
    """<bra|ket> of two stretches of sites that share their outer legs, (batch,)."""
    environment = bra[0].flatten(1, 2).mH @ ket[0].flatten(1, 2)
    for bra_site, ket_site in zip(bra[1:-1], ket[1:-1], strict=True):
        moved = (environment @ ket_site.flatten(2)).reshape(ket_site.shape[0], -1, *ket_site.shape[2:])
        environment = bra_site.flatten(1, 2).mH @ moved.flatten(1, 2)
    return (bra[-1].flatten(2).conj() * (environment @ ket[-1].flatten(2))).sum((1, 2))


def canonicalise(sites: list[Tensor], first: int, last: int, *, rightwards: bool) -> None:
    """Bring the sites `first..last` into canonical form with the centre at `last` (rightwards) or at `first`.

    The bonds left of `first` and right of `last` must already be orthonormal. Changes the list in place.
    """
    if rightwards:
        sites[first : last + 1] = _Canonicalise.apply(*sites[first : last + 1])  # type: ignore[no-untyped-call]
        return
    mirrored = [site.permute(0, 3, 2, 1) for site in reversed(sites[first : last + 1])]
    outputs = _Canonicalise.apply(*mirrored)  # type: ignore[no-untyped-call]
    sites[first : last + 1] = [site.permute(0, 3, 2, 1) for site in reversed(outputs)]
