"""The kernel as one differentiable operation on torch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from backends.errors import refuse_second_derivatives
from backends.kernels.eager import eager
from backends.kernels.tensors import as_real, half_angles
from backends.statevector import kernel
from backends.statevector.pages import new_state
from backends.statevector.program import StatevectorProgram
from backends.statevector.reversible import Moment
from backends.statevector.spreading import spread


@eager
def compiled_step(
    amplitudes: Tensor,  # (batch, 2**n)
    angles: Tensor,  # (batch, n_angles)
    program: StatevectorProgram,
    moments: tuple[Moment, Moment] | None = None,
) -> tuple[Tensor, Tensor]:  # (batch, 2**n), (batch, 3n)
    """Apply a program and read out; differentiable once, in amplitudes and angles.

    Stores the outgoing state alone: the backward recovers the incoming one by un-applying the gates. With `moments`, of
    the incoming and of the outgoing state, not even that (see `reversible`).
    """
    out, z = _CompiledStep.apply(amplitudes, angles, program, moments)  # type: ignore[no-untyped-call]
    return out, z


class _CompiledStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, amplitudes: Tensor, angles: Tensor, program: StatevectorProgram, moments: tuple[Moment, Moment] | None
    ) -> tuple[Tensor, Tensor]:
        half = half_angles(angles)
        out, z, norms = _apply(amplitudes, half, program)
        ctx.half, ctx.program, ctx.moments = half, program, moments
        ctx.set_materialize_grads(False)
        if moments is None:
            ctx.save_for_backward(z, norms, out)
        else:
            ctx.save_for_backward(z, norms)
            before, after = moments
            after.hold(out.detach())
            before.give_way(after, lambda amplitudes: _unapply(amplitudes, half, program))
        return out, z

    @staticmethod
    def backward(ctx: Any, g_out: Tensor | None, g_z: Tensor | None) -> tuple[Tensor | None, Tensor | None, None, None]:
        refuse_second_derivatives("statevector")
        z, norms, *stored = ctx.saved_tensors
        out = ctx.moments[1].take() if ctx.moments else stored[0]
        g_z = torch.zeros_like(z) if g_z is None else g_z
        wanted = bool(ctx.moments), ctx.needs_input_grad[0]
        before, g_before, g_angles = _pull_back(out, g_out, ctx.half, (z, norms, g_z), ctx.program, wanted)
        if ctx.moments:
            ctx.moments[0].hold(before)
        return g_before, g_angles if ctx.needs_input_grad[1] else None, None, None


def _apply(amplitudes: Tensor, half: Any, program: StatevectorProgram) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes after the program, readouts (batch, 3n) and squared norms (batch,)."""
    batch, n = amplitudes.shape[0], program.n_qubits
    out, real = new_state(amplitudes), amplitudes.real.dtype
    z, norms = torch.empty(batch, 3 * n, dtype=real), torch.empty(batch, dtype=real)
    results = as_real(out), z.numpy(), norms.numpy()
    spread(kernel.forward, program, (as_real(amplitudes), half, program.arrays(real), results))
    return out, z, norms


def _pull_back(
    out: Tensor, g_out: Tensor | None, half: Any, readouts: Sequence[Tensor], program: StatevectorProgram, wanted: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes before the program and their cotangent, if wanted, and the cotangent of the angles.

    `readouts`: z, squared norms, and the cotangent of z.
    """
    z, nothing = readouts[0], out[:0]
    before, g_before = (new_state(out) if want else nothing for want in wanted)
    g_angles = torch.empty(len(out), half.shape[2], dtype=z.dtype)
    given = as_real(nothing if g_out is None else g_out), *[values.contiguous().numpy() for values in readouts]
    results = as_real(before), as_real(g_before), g_angles.numpy()
    spread(kernel.backward, program, (as_real(out), half, program.arrays(z.dtype), given, results))
    return before, g_before, g_angles


def _unapply(out: Tensor, half: Any, program: StatevectorProgram) -> Tensor:
    """Amplitudes before the program."""
    zeros = out.real.new_zeros(len(out), 3 * program.n_qubits)
    return _pull_back(out, None, half, (zeros, zeros.new_ones(len(out)), zeros), program, (True, False))[0]
