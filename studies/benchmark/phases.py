"""Where the time of the kernel goes: every phase of a timestep measured alone, on one tile and one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends.kernels.pairs import KernelProgram, compile_gates
from backends.kernels.simd import LANES
from backends.statevector import kernel
from studies.benchmark.workload import Workload
from tnqrnn import Ansatz


class _Tile:
    """The arrays that the kernel works on for one tile of a workload, filled with numbers that stay in range."""

    def __init__(self, workload: Workload) -> None:
        n = self.n = workload.n_qubits
        self.program: KernelProgram = compile_gates(n, Ansatz(n, workload.n_layers).circuit.gates)
        rows, ops, single = 1 << n, len(self.program.operations), np.float32
        generator = np.random.default_rng(0)
        self.amplitudes = generator.standard_normal((LANES, rows, 2)).astype(single) / np.sqrt(2 * rows).astype(single)
        self.parts = [np.ascontiguousarray(self.amplitudes[:, :, k % 2].T) for k in range(4)]
        angles = generator.standard_normal((workload.n_angles, LANES)).astype(single) / 2
        self.half = np.stack([np.cos(angles), np.sin(angles)])
        self.fixed, self.turns = self.program.constants.arrays(torch.float32)
        self.u = np.zeros((ops, 2, 8, LANES), single)
        self.sums = np.zeros((ops, 2, 4, LANES))
        self.flips, self.weights = np.zeros((n, 2, LANES)), np.zeros((n, LANES))
        self.xy = np.zeros((n, 2, LANES), single)  # the cotangents of X and Y
        self.norm, self.norms = np.zeros((1, LANES)), np.ones(LANES, single)
        self.z, self.g_angles = np.zeros((LANES, 3 * n), single), np.zeros((LANES, workload.n_angles), single)
        self.high = np.zeros((1 << (n - n // 2), LANES), single)
        self.low = np.zeros((1 << (n // 2), LANES), single)
        kernel.matrices(self.program.operations, self.program.atoms, self.fixed, self.half, self.u)

    def phases(self) -> dict[str, Callable[[], Any]]:
        """The phases of a training step in the order in which they come."""
        program, rows = self.program, 1 << self.n
        re, im, lr, li = self.parts
        tables = (program.offsets, program.readouts, program.operations, self.u)
        blocks = [rows >> width for width in program.passes[:, 2]]

        def run() -> None:
            for p, count in enumerate(blocks):
                kernel.run_pass(re, im, self.n, program.passes, p, *tables, 0, count, self.flips)

        def unrun() -> None:
            for p, count in reversed(list(enumerate(blocks))):
                place = (re, im, lr, li, self.n, program.passes, p, *tables, self.xy, self.high, self.low)
                kernel.unrun_pass(*place, 0, count, self.sums)

        def matrices() -> None:
            kernel.matrices(program.operations, program.atoms, self.fixed, self.half, self.u)

        return {
            "forward: load and store the state": lambda: (
                kernel.load(self.amplitudes, 0, 0, rows, re, im),
                kernel.store(self.amplitudes, 0, 0, rows, re, im),
            ),
            "forward: matrices from angles": matrices,
            "forward: gates, X and Y": run,
            "forward: Z and norm": lambda: kernel.weigh(re, im, self.n, 0, rows, self.weights, self.norm),
            "backward: load and store the states": lambda: (
                kernel.load(self.amplitudes, 0, 0, rows, re, im),
                kernel.load(self.amplitudes, 0, 0, rows, lr, li),
                kernel.store(self.amplitudes, 0, 0, rows, lr, li),
            ),
            "backward: matrices from angles": matrices,
            "backward: weights of the readouts": lambda: kernel.readout_cotangents(
                self.n, 0, self.z, self.norms, self.z, self.xy, self.high, self.low
            ),
            "backward: readouts, gates": unrun,
            "backward: gradients of angles": lambda: kernel.angle_gradients(
                program.operations, program.atoms, self.turns, self.half, self.sums, 0, self.g_angles
            ),
        }


def measure_phases(workload: Workload, repeats: int = 15) -> dict[str, float]:
    """Return the seconds that every phase takes in one training step, over all tiles and timesteps, on one core."""
    tile = _Tile(workload)
    tiles = -(-workload.batch // LANES) * workload.timesteps
    seconds = {}
    for name, work in tile.phases().items():
        work()
        count = max(1, (1 << 14) >> workload.n_qubits)
        seconds[name] = tiles * statistics.median(_timed(work, count) for _ in range(repeats))
    return seconds


def _timed(work: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count
