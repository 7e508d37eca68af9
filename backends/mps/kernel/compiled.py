"""The kernel of the MPS as one differentiable operation on torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import InvalidInput, refuse_second_derivatives
from backends.kernels.decomposition import TINY
from backends.kernels.eager import eager
from backends.kernels.tensors import as_real, half_angles
from backends.kernels.threads import compile_first, over_tiles
from backends.kernels.vectors import LANES
from backends.mps.kernel import timestep as kernel
from backends.mps.kernel.program import MPSProgram
from backends.mps.ledger import Truncation

# Size of a singular value, or of a gap, relative to the largest, below which the backward takes it as noise. Above the
# rounding errors of single precision (3e-5 is as good, 1e-5 blows up over a few steps), and as low as they allow: what
# a gradient owes to lighter directions is lost (1e-4 and more cost accuracy where ranks are below the bond).
_NOISE = {torch.float32: 7e-5, torch.float64: 1e-9}


@eager
def compiled_step(
    numbers: Tensor,  # (batch, numbers): the site tensors, one after the other
    angles: Tensor,  # (batch, n_angles)
    n_qubits: int,
    program: MPSProgram,
    truncation: Truncation,
) -> tuple[Tensor, Tensor, Tensor]:  # (batch, numbers), (batch, 3 n_qubits), (batch, 3)
    """Apply the gates of one timestep and read out; differentiable once, in numbers and angles.

    Returns the new numbers, the readouts, and what `Ledger.plus` takes.
    Stores the incoming numbers alone: the backward carries out the timestep again.
    """
    graded = torch.is_grad_enabled() and (numbers.requires_grad or angles.requires_grad)
    out, z, ledger = _CompiledStep.apply(numbers, angles, n_qubits, program, truncation, graded)  # type: ignore[no-untyped-call]
    return out, z, ledger


class _CompiledStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        numbers: Tensor,
        angles: Tensor,
        n_qubits: int,
        program: MPSProgram,
        truncation: Truncation,
        graded: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        half, out = half_angles(angles), torch.empty_like(numbers, memory_format=torch.contiguous_format)
        real = numbers.real.dtype
        z, ledger = torch.empty(len(numbers), 3 * n_qubits, dtype=real), torch.zeros(len(numbers), 3, dtype=real)
        fixed, _ = program.constants.arrays(real)
        results = [as_real(out), z.numpy(), ledger.numpy()]
        settings = [TINY[half.dtype], truncation.limits, not graded]
        _run(kernel.forward, [as_real(numbers), half, program.tables, fixed, *settings, *results])
        ctx.save_for_backward(numbers)
        ctx.half, ctx.program, ctx.truncation, ctx.n_qubits = half, program, truncation, n_qubits
        ctx.mark_non_differentiable(ledger)
        ctx.set_materialize_grads(False)
        return out, z, ledger

    @staticmethod
    def backward(ctx: Any, g_out: Tensor | None, g_z: Tensor | None, _: Any) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives("mps")
        (numbers,) = ctx.saved_tensors
        half, program, real = ctx.half, ctx.program, numbers.real.dtype
        nothing, state = numbers[:0], ctx.needs_input_grad[0]
        g_numbers = torch.empty_like(numbers, memory_format=torch.contiguous_format) if state else nothing
        g_angles = torch.empty(len(numbers), half.shape[2], dtype=real)
        g_z = torch.zeros(len(numbers), 3 * ctx.n_qubits, dtype=real) if g_z is None else g_z
        cotangents = [as_real(nothing if g_out is None else g_out), g_z.contiguous().numpy()]
        tables = [half, program.tables, *program.constants.arrays(real)]
        settings = [TINY[half.dtype], ctx.truncation.limits, half.dtype.type(_NOISE[real])]
        results = [as_real(g_numbers), g_angles.numpy()]
        _run(kernel.backward, [as_real(numbers), *cotangents, *tables, *settings, *results])
        return g_numbers if state else None, g_angles, None, None, None, None


def _run(function: Any, arrays: list[Any]) -> None:
    compile_first(function, arrays, "MPS", 25)
    try:
        over_tiles(function, arrays, -(-len(arrays[0]) // LANES), torch.get_num_threads())
    except ArithmeticError as error:
        sizes = np.abs(arrays[0]).max((1, 2))
        raise InvalidInput(
            f"mps: {error}; the largest number of the state is {sizes.max():.1e} (in sample {sizes.argmax()}), whose "
            f"square must be finite in {sizes.dtype}: give a normalised state."
        ) from None
