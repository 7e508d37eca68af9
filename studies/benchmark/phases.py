"""Where the time of the kernel goes: every phase of a timestep measured alone, on one tile and one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends.kernels.atoms import angle_gradients, matrices
from backends.kernels.emitting import Parts
from backends.kernels.vectors import LANES
from backends.statevector import kernel, readouts
from backends.statevector.program import compile_gates
from studies.benchmark.workload import Workload
from tnqrnn import Ansatz


class _Tile:
    """The arrays that the kernel works on for one tile of a workload, filled with numbers that stay in range."""

    def __init__(self, workload: Workload) -> None:
        n = self.n = workload.n_qubits
        program = compile_gates(n, Ansatz(n, workload.n_layers).circuit.gates)
        self.tables = kernel.Tables(*program.arrays(torch.float32))
        rows, ops, single = 1 << n, len(program.operations), np.float32
        generator = np.random.default_rng(0)
        self.amplitudes = generator.standard_normal((LANES, rows, 2)).astype(single) / np.sqrt(2 * rows).astype(single)
        parts = [np.ascontiguousarray(self.amplitudes[:, :, k % 2].T) for k in range(4)]
        self.psi, self.cotangent = Parts(*parts[:2]), Parts(*parts[2:])
        angles = generator.standard_normal((workload.n_angles, LANES)).astype(single) / 2
        self.half = np.stack([np.cos(angles), np.sin(angles)])
        self.u = np.zeros((ops, 2, 8, LANES), single)
        self.sums = np.zeros((ops, 2, 4, LANES))
        self.flips, self.weights = np.zeros((n, 2, LANES)), np.zeros((n + 1, LANES))
        self.norms = np.ones(LANES, single)
        self.z, self.g_angles = np.zeros((LANES, 3 * n), single), np.zeros((LANES, workload.n_angles), single)
        high, low = (np.zeros((1 << bits, LANES), single) for bits in (n - n // 2, n // 2))
        self.observable = readouts.Observable(np.zeros((n, 2, LANES), single), high, low)
        self._matrices()

    def _matrices(self) -> None:
        matrices(self.tables.operations, self.tables.atoms, self.tables.fixed, self.half, self.u)

    def phases(self) -> dict[str, Callable[[], Any]]:
        """The phases of a training step in the order in which they come."""
        tables, rows = self.tables, 1 << self.n
        blocks = [rows >> width for width in tables.passes["width"]]

        def run() -> None:
            for p, count in enumerate(blocks):
                kernel.run_pass(0, count, self.flips, self.psi, tables, p, self.u)

        def unrun() -> None:
            for p, count in reversed(list(enumerate(blocks))):
                place = (self.psi, self.cotangent, tables, p, self.u, self.observable)
                kernel.unrun_pass(0, count, self.sums, *place)

        return {
            "forward: load and store the state": lambda: (
                kernel.load(0, rows, None, self.amplitudes, 0, self.psi),
                kernel.store(0, rows, None, self.amplitudes, 0, self.psi),
            ),
            "forward: matrices from angles": self._matrices,
            "forward: gates, X and Y": run,
            "forward: Z and norm": lambda: readouts.weigh(0, rows, self.weights, self.psi, self.n),
            "backward: load and store the states": lambda: (
                kernel.load(0, rows, None, self.amplitudes, 0, self.psi),
                kernel.load(0, rows, None, self.amplitudes, 0, self.cotangent),
                kernel.store(0, rows, None, self.amplitudes, 0, self.cotangent),
            ),
            "backward: matrices from angles": self._matrices,
            "backward: weights of the readouts": lambda: readouts.readout_cotangents(
                0, self.z, self.norms, self.z, self.observable
            ),
            "backward: readouts, gates": unrun,
            "backward: gradients of angles": lambda: angle_gradients(
                tables.operations, tables.atoms, tables.turns, self.half, self.sums, 0, self.g_angles
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
