"""The kernel as one differentiable operation on torch tensors, spread over the cores."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from backends.errors import refuse_second_derivatives
from backends.statevector import kernel
from backends.statevector.pairs import KernelProgram
from backends.statevector.reversible import Moment
from backends.statevector.simd import LANES

# Rows updated by gates, over all tiles, below which handing work to another thread costs more than it saves (100 us).
_WORTH_A_THREAD = 2**14
# Bytes from which a state gets pages of its own.
_MAPPED = 2**20


def compiled_step(
    amplitudes: Tensor,  # (batch, 2**n)
    angles: Tensor,  # (batch, n_angles)
    program: KernelProgram,
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
        ctx: Any, amplitudes: Tensor, angles: Tensor, program: KernelProgram, moments: tuple[Moment, Moment] | None
    ) -> tuple[Tensor, Tensor]:
        out, z, norms = _apply(amplitudes, angles, program)
        ctx.program, ctx.moments = program, moments
        if moments is None:
            ctx.save_for_backward(angles, z, norms, out)
        else:
            ctx.save_for_backward(angles, z, norms)
            before, after = moments
            after.hold(out.detach())
            kept = angles.detach()
            before.give_way(after, lambda amplitudes: _unapply(amplitudes, kept, program))
        return out, z

    @staticmethod
    def backward(ctx: Any, g_out: Tensor, g_z: Tensor) -> tuple[Tensor, Tensor, None, None]:
        refuse_second_derivatives("statevector")
        angles, z, norms, *stored = ctx.saved_tensors
        out = ctx.moments[1].take() if ctx.moments else stored[0]
        before, g_before, g_angles = _pull_back(out, g_out, angles, z, norms, g_z, ctx.program)
        if ctx.moments:
            ctx.moments[0].hold(before)
        return g_before, g_angles, None, None


def _apply(amplitudes: Tensor, angles: Tensor, program: KernelProgram) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes after the program, readouts (batch, 3n) and squared norms (batch,)."""
    batch, n = amplitudes.shape[0], program.n_qubits
    out = _empty_state(amplitudes)
    z, norms = angles.new_empty(batch, 3 * n), angles.new_empty(batch)
    arrays = [_real(amplitudes), _half_angles(angles), n, *_tables(program, angles.dtype)]
    arrays += [_real(out), z.numpy(), norms.numpy()]
    _over_tiles(batch, program, lambda first, last: kernel.forward(*arrays, first, last))
    return out, z, norms


def _pull_back(
    out: Tensor, g_out: Tensor, angles: Tensor, z: Tensor, norms: Tensor, g_z: Tensor, program: KernelProgram
) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes before the program, their cotangent, and the cotangent of the angles."""
    before, g_before, g_angles = _empty_state(out), _empty_state(out), torch.empty_like(angles)
    arrays = [_real(out), _real(g_out), _half_angles(angles), z.numpy(), norms.numpy(), _numpy(g_z)]
    arrays += [program.n_qubits, *_tables(program, angles.dtype), program.longest]
    arrays += [_real(before), _real(g_before), g_angles.numpy()]
    _over_tiles(len(out), program, lambda first, last: kernel.backward(*arrays, first, last))
    return before, g_before, g_angles


def _unapply(out: Tensor, angles: Tensor, program: KernelProgram) -> Tensor:
    """Amplitudes before the program."""
    zeros = angles.new_zeros(len(out), 3 * program.n_qubits)
    return _pull_back(out, torch.zeros_like(out), angles, zeros, angles.new_ones(len(out)), zeros, program)[0]


def _empty_state(like: Tensor) -> Tensor:
    """Uninitialised amplitudes. Large ones are mapped pages, which go back to the system as soon as they are let go.

    On the heap, small tensors that live on would settle in the gaps between states, and the memory of a reversible run
    would grow with the timesteps after all (measured: 4 MiB for each timestep of 14 qubits).
    """
    size = like.numel() * like.element_size()
    if size < _MAPPED:
        return torch.empty_like(like, memory_format=torch.contiguous_format)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(pages, dtype=like.dtype).reshape(like.shape)


def _real(amplitudes: Tensor) -> Any:
    """Real and imaginary parts as a last axis of 2, without a copy where the tensor is contiguous."""
    return torch.view_as_real(amplitudes.detach().resolve_conj().contiguous()).numpy()


def _numpy(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


def _half_angles(angles: Tensor) -> Any:
    """Cosines and sines of the half angles, (batch, 2, n_angles)."""
    half = angles.detach() / 2
    return torch.stack([half.cos(), half.sin()], 1).numpy()


@lru_cache(maxsize=256)
def _tables(program: KernelProgram, dtype: torch.dtype) -> tuple[Any, ...]:
    """The program's tables, the fixed matrices in the precision of the angles."""
    fixed = torch.from_numpy(program.fixed).to(dtype).numpy()
    return program.passes, program.offsets, program.operations, program.atoms, fixed


def _over_tiles(batch: int, program: KernelProgram, work: Callable[[int, int], None]) -> None:
    """Call work(first, last) over all tiles, in as many threads as torch would use.

    Threads of our own rather than Numba's: those must not be used after a fork, as in workers that load data.
    """
    tiles = -(-batch // LANES)
    threads = min(torch.get_num_threads(), tiles)
    if threads == 1 or tiles * program.row_updates < _WORTH_A_THREAD:
        work(0, tiles)
        return
    cuts = [tiles * k // threads for k in range(threads + 1)]
    pool = _pool(os.getpid(), threads)
    *others, own = pairwise(cuts)
    waiting = [pool.submit(work, first, last) for first, last in others]
    work(*own)
    for done in waiting:
        done.result()


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of one process: a forked one needs its own, so its number is part of the key."""
    return ThreadPoolExecutor(threads, thread_name_prefix="tnqrnn-kernel")
