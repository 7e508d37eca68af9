"""Where the time of a timestep goes, on one tile and one core: of the statevector's kernel, and of the MPS.

`python -m studies.benchmark.phases [QUBITS MAX_BOND]...`: of the MPS, forward and without gradients, milliseconds of
the whole step, and the shares of decompositions (measured alone, times their number), readouts (a step without gates),
Python, and the rest: products.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends import MPSBackend
from backends.kernels.atoms import angle_gradients, matrices
from backends.kernels.emitting import Parts
from backends.kernels.vectors import LANES
from backends.mps.kernel.tables import MOVE, SPLIT
from backends.statevector import kernel, readouts
from backends.statevector.program import compile_gates
from studies.benchmark.decomposition import kernel_seconds
from studies.benchmark.measure import median_seconds
from studies.benchmark.workload import Workload
from tnqrnn import Ansatz


class _Tile:
    """The arrays that the kernel works on for one tile of a workload, filled with numbers that stay in range."""

    def __init__(self, workload: Workload) -> None:
        n = self.n = workload.n_qubits
        program = compile_gates(n, workload.circuit.gates)
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


def measure_phases(workload: Workload) -> dict[str, float]:
    """Seconds that every phase of the statevector's kernel takes in a training step, over all tiles and timesteps."""
    tiles = -(-workload.batch // LANES) * workload.timesteps
    return {name: tiles * median_seconds(work) for name, work in _Tile(workload).phases().items()}


def mps_phases(n_qubits: int, max_bond: int) -> dict[str, float]:
    """Seconds of the parts of a forward step of two layers on a chain."""
    circuit = Workload(n_qubits, max_bond=max_bond).circuit
    backend = MPSBackend(circuit, max_bond=max_bond)
    angles = torch.randn(3, LANES, circuit.n_angles, generator=torch.Generator().manual_seed(0))
    empty = MPSBackend(Ansatz(2, 1, topology="chain").circuit, max_bond=1)
    with torch.inference_mode():
        state = backend.initial_state(LANES)
        for step in angles:
            state, _ = backend.step(state, step)
        whole = median_seconds(lambda: backend.step(state, angles[0]))
        readouts = median_seconds(lambda: backend.readout(state))
        start, few = empty.initial_state(LANES), torch.zeros(LANES, empty.n_angles)
        python = median_seconds(lambda: empty.step(start, few))
    kinds, size = backend.kernel_operations(state), 2 * max_bond
    decompositions = kinds.count(SPLIT) * kernel_seconds(size, size, max_bond)
    decompositions += kinds.count(MOVE) * kernel_seconds(size, max_bond, max_bond, triangular=True)
    parts = {"decompositions": decompositions, "readouts": readouts - python, "Python": python}
    return {**parts, "products": whole - decompositions - readouts}


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]] or [12, 16, 24, 16, 24, 32]
    for n, bond in zip(given[::2], given[1::2], strict=True):
        found = mps_phases(n, bond)
        total = sum(found.values())
        shares = ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in found.items())
        print(f"{n} qubits, max_bond {bond}: {1e3 * total:.1f} ms: {shares}")
