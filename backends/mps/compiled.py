"""The kernel of the MPS as one differentiable operation on torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import refuse_second_derivatives
from backends.mps import kernel
from backends.mps.decomposition import TINY
from backends.mps.program import MPSProgram
from backends.mps.split import NOISE
from backends.statevector.compiled import as_real, half_angles
from backends.statevector.simd import LANES
from backends.threads import compile_first, over_tiles


def compiled_gates(
    numbers: Tensor,  # (batch, numbers): the site tensors, one after the other
    angles: Tensor,  # (batch, n_angles)
    program: MPSProgram,
    cutoff: float,
) -> tuple[Tensor, Tensor]:  # (batch, numbers), (batch, 2)
    """Apply the gates of one timestep; differentiable once, in numbers and angles.

    Returns the new numbers, and the sums of epsilon and of arcsin(sqrt(epsilon)) over all truncations. Stores the
    incoming numbers alone: the backward carries out the gates again.
    """
    out, ledger = _CompiledGates.apply(numbers, angles, program, cutoff)  # type: ignore[no-untyped-call]
    return out, ledger


class _CompiledGates(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, numbers: Tensor, angles: Tensor, program: MPSProgram, cutoff: float) -> tuple[Tensor, Tensor]:
        half, out = half_angles(angles), torch.empty_like(numbers, memory_format=torch.contiguous_format)
        real = numbers.real.dtype
        ledger = torch.zeros(len(numbers), 2, dtype=real)
        fixed, _ = program.constants.arrays(real)
        tail = [program.sizes, TINY[half.dtype], cutoff, as_real(out), ledger.numpy()]
        _run(kernel.forward, [as_real(numbers), half, *program.tables, fixed, *tail])
        ctx.save_for_backward(numbers)
        ctx.half, ctx.program, ctx.cutoff = half, program, cutoff
        ctx.mark_non_differentiable(ledger)
        return out, ledger

    @staticmethod
    def backward(ctx: Any, g_out: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        refuse_second_derivatives("mps")
        (numbers,) = ctx.saved_tensors
        half, program, real = ctx.half, ctx.program, numbers.real.dtype
        g_numbers = torch.empty_like(numbers, memory_format=torch.contiguous_format)
        g_angles = torch.empty(len(numbers), half.shape[2], dtype=real)
        numbers_of = [program.sizes, TINY[half.dtype], ctx.cutoff, half.dtype.type(NOISE[real])]
        start = [as_real(numbers), as_real(g_out), half, *program.tables, *program.constants.arrays(real)]
        _run(kernel.backward, [*start, *numbers_of, as_real(g_numbers), g_angles.numpy()])
        return g_numbers, g_angles, None, None


def _run(function: Any, arrays: list[np.ndarray[Any, Any]]) -> None:
    compile_first(function, arrays, "MPS", 25)
    over_tiles(function, arrays, -(-len(arrays[0]) // LANES), torch.get_num_threads())
