"""How the kernel's work is spread over the cores.

Tiles are independent, so every thread takes its share of them. Where there are fewer tiles than threads and a tile is
large, all threads work on one tile after another: the blocks of a pass are independent too.

Threads of our own rather than Numba's: those must not be used after a fork, as in workers that load data.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import torch

from backends.cache import one_at_a_time
from backends.statevector import kernel
from backends.statevector.pairs import KernelProgram
from backends.statevector.simd import LANES

# Rows updated by gates, over all tiles, below which handing work to another thread costs more than it saves (100 us).
_WORTH_A_THREAD = 2**14
# Rows updated by gates in one tile from which threads share it: handing over once for each pass (14 qubits, 2 layers).
_WORTH_SHARING = 2**18
# Seconds after which a user wonders.
_A_MOMENT = 2.0

# Which functions of the kernel, for which dtype, were called in this process: the first call compiles or loads.
_called: set[tuple[Any, Any]] = set()


def forward(program: KernelProgram, arrays: Sequence[Any]) -> None:
    """Carry out `kernel.forward` on all tiles; `arrays` are its arguments but for the range of tiles."""
    _spread(program, arrays, kernel.forward, _forward_shared)


def backward(program: KernelProgram, arrays: Sequence[Any]) -> None:
    """Carry out `kernel.backward` on all tiles."""
    _spread(program, arrays, kernel.backward, _backward_shared)


def _spread(program: KernelProgram, arrays: Sequence[Any], over_tiles: Any, over_blocks: Any) -> None:
    states = arrays[0]
    with _compiling_alone(over_tiles, states.dtype) as first:
        if first:
            over_tiles(*arrays, 0, 0)
    tiles, threads, updates = -(-len(states) // LANES), torch.get_num_threads(), program.row_updates
    if threads > tiles and updates >= _WORTH_SHARING:
        with _compiling_alone(over_blocks, states.dtype):
            over_blocks(_Team(threads), tiles, *arrays)
    elif tiles * updates < _WORTH_A_THREAD:
        over_tiles(*arrays, 0, tiles)
    else:
        _Team(min(threads, tiles)).share(tiles, lambda _, first, last: over_tiles(*arrays, first, last))


@contextmanager
def _compiling_alone(function: Any, dtype: Any) -> Iterator[bool]:
    """Keep other processes from compiling while a function of the kernel is called for the first time in this one.

    Processes that compile at once number the files of numba's cache alike, and one may then load what another compiled
    for another precision. Gives whether it is the first call.
    """
    first = (function, dtype) not in _called
    if not first:
        yield False
        return
    with _announced(), one_at_a_time("kernel"):
        yield True
    _called.add((function, dtype))


@contextmanager
def _announced() -> Iterator[None]:
    """Say that the kernel is being compiled, if it takes more than a moment: it was not found in the cache then."""
    notice = threading.Timer(_A_MOMENT, _tell)
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()


@cache
def _tell() -> None:
    logging.getLogger("tnqrnn").warning("compiling the statevector kernel: some 15 s, once for all circuits")


class _Team:
    """Threads that work on parts of one thing; `size` of them, the caller included."""

    def __init__(self, size: int) -> None:
        self.size = size

    def share(self, count: int, work: Callable[[int, int, int], None], unit: int = 1) -> None:
        """Call work(member, first, last) for every member's part of range(count), in whole units; waits for all."""
        units = count // unit
        cuts = [units * k // self.size * unit for k in range(self.size + 1)]
        if self.size == 1:
            work(0, 0, count)
            return
        pool = _pool(os.getpid(), self.size)
        waiting = [pool.submit(work, k, cuts[k], cuts[k + 1]) for k in range(1, self.size)]
        work(0, cuts[0], cuts[1])
        for done in waiting:
            done.result()


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of one process: a forked one needs its own, so its number is part of the key."""
    return ThreadPoolExecutor(threads, thread_name_prefix="tnqrnn-kernel")


def _forward_shared(
    team: _Team, tiles: int, amplitudes: Any, half: Any, n: int, passes: Any, offsets: Any, readouts: Any, ops: Any,
    atoms: Any, fixed: Any, out: Any, z: Any, norms: Any,
) -> None:  # fmt: skip
    rows, dtype = amplitudes.shape[1], amplitudes.dtype
    re, im = (np.empty((rows, LANES), dtype) for _ in range(2))
    u = np.empty((len(ops), 2, 8, LANES), dtype)
    for first in range(0, tiles * LANES, LANES):
        flips = np.zeros((team.size, n, 2, LANES), dtype)
        weights, norm = np.zeros((team.size, n, LANES), dtype), np.zeros((team.size, 1, LANES), dtype)
        _move(team, kernel.load, amplitudes, first, re, im)
        kernel.matrices(ops, atoms, fixed, half[first // LANES], u)
        for p in range(len(passes)):
            place = (re, im, n, passes, p, offsets, readouts, ops, u)
            team.share(rows >> passes[p, 2], partial(_run_part, place, flips))
        team.share(rows, partial(_weigh_part, (re, im, n), weights, norm), unit=min(rows, kernel.CHUNK))
        kernel.finish_readouts(n, first, flips.sum(0), weights.sum(0), norm.sum(0), z, norms)
        _move(team, kernel.store, out, first, re, im)


def _backward_shared(
    team: _Team, tiles: int, state: Any, cotangent: Any, half: Any, z: Any, norms: Any, g_z: Any, n: int, passes: Any,
    offsets: Any, readouts: Any, ops: Any, atoms: Any, fixed: Any, turns: Any, before: Any, g_before: Any,
    g_angles: Any,
) -> None:  # fmt: skip
    rows, dtype = state.shape[1], state.dtype
    re, im, lr, li = (np.zeros((rows, LANES), dtype) for _ in range(4))
    u = np.empty((len(ops), 2, 8, LANES), dtype)
    flips = np.empty((n, 2, LANES), dtype)
    high, low = np.empty((1 << (n - n // 2), LANES), dtype), np.empty((1 << (n // 2), LANES), dtype)
    for first in range(0, tiles * LANES, LANES):
        sums = np.zeros((team.size, len(ops), 2, 4, LANES), dtype)
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


def _move(team: _Team, move: Any, amplitudes: Any, first: int, re: Any, im: Any) -> None:
    """Load or store a tile, unless the batch is empty."""
    if len(amplitudes) > 0:
        team.share(len(re), lambda _, a, b: move(amplitudes, first, a, b, re, im), unit=4)
