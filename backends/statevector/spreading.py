"""How the kernel's work is spread over the cores.

Tiles are independent, so every thread takes its share of them. Where there are fewer tiles than threads and a tile is
large, all threads work on one tile after another: the blocks of a pass are independent too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from backends.kernels.pairs import KernelProgram
from backends.kernels.simd import LANES
from backends.kernels.threads import Team, compile_first, compiling_alone
from backends.kernels.threads import over_tiles as spread_over_tiles
from backends.statevector import kernel

# Rows updated by gates, over all tiles, below which handing work to another thread costs more than it saves (100 us).
_WORTH_A_THREAD = 2**14
# Rows updated by gates in one tile from which threads share it: handing over once for each pass (14 qubits, 2 layers).
_WORTH_SHARING = 2**18


def forward(program: KernelProgram, arrays: Sequence[Any]) -> None:
    """Carry out `kernel.forward` on all tiles; `arrays` are its arguments but for the range of tiles."""
    _spread(program, arrays, kernel.forward, _forward_shared)


def backward(program: KernelProgram, arrays: Sequence[Any]) -> None:
    """Carry out `kernel.backward` on all tiles."""
    _spread(program, arrays, kernel.backward, _backward_shared)


def work_space(program: KernelProgram, batch: int, itemsize: int, *, backward: bool) -> int:
    """Bytes that the threads work in during one timestep, beside the states: their tiles of numbers of `itemsize`."""
    tiles, threads, shared = _plan(program, batch)
    at_once = 1 if shared else min(threads, tiles)
    each = kernel.BACKWARD_TILES if backward else kernel.FORWARD_TILES
    return at_once * each * LANES * itemsize << program.n_qubits


def _plan(program: KernelProgram, batch: int) -> tuple[int, int, bool]:
    """The tiles of a batch, the threads that work on them, and whether these share one tile after another."""
    tiles, threads, updates = -(-batch // LANES), torch.get_num_threads(), program.row_updates
    if threads > tiles and updates >= _WORTH_SHARING:
        return tiles, threads, True
    return tiles, threads if tiles * updates >= _WORTH_A_THREAD else 1, False


def _spread(program: KernelProgram, arrays: Sequence[Any], over_tiles: Any, over_blocks: Any) -> None:
    states = arrays[0]
    compile_first(over_tiles, arrays, "statevector", 15)
    tiles, threads, shared = _plan(program, len(states))
    if shared:
        with compiling_alone(over_blocks, states.dtype, "statevector", 15):
            over_blocks(Team(threads), tiles, *arrays)
    else:
        spread_over_tiles(over_tiles, arrays, tiles, threads)


def _forward_shared(
    team: Team, tiles: int, amplitudes: Any, half: Any, n: int, passes: Any, offsets: Any, readouts: Any, ops: Any,
    atoms: Any, fixed: Any, out: Any, z: Any, norms: Any,
) -> None:  # fmt: skip
    rows, dtype = amplitudes.shape[1], amplitudes.dtype
    re, im = (np.empty((rows, LANES), dtype) for _ in range(kernel.FORWARD_TILES))
    u = np.empty((len(ops), 2, 8, LANES), dtype)
    for first in range(0, tiles * LANES, LANES):
        flips = np.zeros((team.size, n, 2, LANES))
        weights, norm = np.zeros((team.size, n, LANES)), np.zeros((team.size, 1, LANES))
        _move(team, kernel.load, amplitudes, first, re, im)
        kernel.matrices(ops, atoms, fixed, half[first // LANES], u)
        for p in range(len(passes)):
            place = (re, im, n, passes, p, offsets, readouts, ops, u)
            team.share(rows >> passes[p, 2], partial(_run_part, place, flips))
        team.share(rows, partial(_weigh_part, (re, im, n), weights, norm), unit=min(rows, kernel.CHUNK))
        kernel.finish_readouts(n, first, flips.sum(0), weights.sum(0), norm.sum(0), z, norms)
        _move(team, kernel.store, out, first, re, im)


def _backward_shared(
    team: Team, tiles: int, state: Any, cotangent: Any, half: Any, z: Any, norms: Any, g_z: Any, n: int, passes: Any,
    offsets: Any, readouts: Any, ops: Any, atoms: Any, fixed: Any, turns: Any, before: Any, g_before: Any,
    g_angles: Any,
) -> None:  # fmt: skip
    rows, dtype = state.shape[1], state.dtype
    re, im, lr, li = (np.zeros((rows, LANES), dtype) for _ in range(kernel.BACKWARD_TILES))
    u = np.empty((len(ops), 2, 8, LANES), dtype)
    flips = np.empty((n, 2, LANES), dtype)
    high, low = np.empty((1 << (n - n // 2), LANES), dtype), np.empty((1 << (n // 2), LANES), dtype)
    for first in range(0, tiles * LANES, LANES):
        sums = np.zeros((team.size, len(ops), 2, 4, LANES))
        for amplitudes, parts in ((state, (re, im)), (cotangent, (lr, li))):
            _move(team, kernel.load, amplitudes, first, *parts)
        if len(cotangent) == 0:
            lr[:], li[:] = 0, 0
        kernel.readout_cotangents(n, first, z, norms, g_z, flips, high, low)
        kernel.matrices(ops, atoms, fixed, half[first // LANES], u)
        for p in reversed(range(len(passes))):
            place = (re, im, lr, li, n, passes, p, offsets, readouts, ops, u, flips, high, low)
            team.share(rows >> passes[p, 2], partial(_unrun_part, place, sums))
        kernel.angle_gradients(ops, atoms, turns, half[first // LANES], sums.sum(0), first, g_angles)
        for amplitudes, parts in ((before, (re, im)), (g_before, (lr, li))):
            _move(team, kernel.store, amplitudes, first, *parts)


# A thread's part of a phase: it adds to sums of its own.


def _run_part(place: tuple[Any, ...], flips: Any, k: int, first: int, last: int) -> None:
    kernel.run_pass(*place, first, last, flips[k])


def _unrun_part(place: tuple[Any, ...], sums: Any, k: int, first: int, last: int) -> None:
    kernel.unrun_pass(*place, first, last, sums[k])


def _weigh_part(place: tuple[Any, ...], weights: Any, norm: Any, k: int, first: int, last: int) -> None:
    kernel.weigh(*place, first, last, weights[k], norm[k])


def _move(team: Team, move: Any, amplitudes: Any, first: int, re: Any, im: Any) -> None:
    """Load or store a tile, unless the batch is empty."""
    if len(amplitudes) > 0:
        team.share(len(re), lambda _, a, b: move(amplitudes, first, a, b, re, im), unit=LANES // 2)
