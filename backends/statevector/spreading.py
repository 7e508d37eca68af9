"""How the kernel's work is spread over the cores.

Tiles are independent, so every thread takes its share of them. Where there are fewer tiles than threads and a tile is
large, all threads work on one tile after another: the blocks of a pass are independent too.
"""

from __future__ import annotations

from typing import Any

import torch

from backends.kernels.threads import Team, compile_first, compiling_alone, over_tiles
from backends.kernels.vectors import LANES
from backends.statevector import kernel
from backends.statevector.program import StatevectorProgram

# Rows updated by gates, over all tiles, below which handing work to another thread costs more than it saves (100 us).
_WORTH_A_THREAD = 2**14
# Rows updated by gates in one tile from which threads share it: handing over once for each pass (14 qubits, 2 layers).
_WORTH_SHARING = 2**18


def spread(function: Any, program: StatevectorProgram, arguments: tuple[Any, ...]) -> None:
    """Carry out `kernel.forward` or `kernel.backward` on all tiles; `arguments` are all but the range of tiles."""
    states = arguments[0]
    compile_first(function, arguments, "statevector", 15)
    tiles, threads, shared = _plan(program, len(states))
    if not shared:
        over_tiles(function, arguments, tiles, threads)
        return
    with compiling_alone(function.py_func, states.dtype, "statevector", 15):
        function.py_func(*arguments, 0, tiles, Team(threads))


def work_space(program: StatevectorProgram, batch: int, itemsize: int, *, backward: bool) -> int:
    """Bytes that the threads work in during one timestep, beside the states: their tiles of numbers of `itemsize`."""
    tiles, threads, shared = _plan(program, batch)
    at_once = 1 if shared else min(threads, tiles)
    each = kernel.BACKWARD_TILES if backward else kernel.FORWARD_TILES
    return at_once * each * LANES * itemsize << program.n_qubits


def _plan(program: StatevectorProgram, batch: int) -> tuple[int, int, bool]:
    """The tiles of a batch, the threads that work on them, and whether these share one tile after another."""
    tiles, threads, updates = -(-batch // LANES), torch.get_num_threads(), program.row_updates
    if threads > tiles and updates >= _WORTH_SHARING:
        return tiles, threads, True
    return tiles, threads if tiles * updates >= _WORTH_A_THREAD else 1, False
