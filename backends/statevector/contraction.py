"""The statevector on any torch device: one timestep as a few large batched products, planned by cotengra.

The fused gates of a timestep are gathered into *blocks* of at most `BLOCK_WIDTH` qubits. Each block's gates are
contracted to one matrix per sample, which is applied to the state in one batched product: on every device, passing
over the state costs more than multiplying small matrices. (Measured on a CPU, 12 qubits, 2 layers, ring, batch 32,
against all gates and the state as one network: blocks of 3, 4, 5 qubits take 0.73, 0.48, 0.48 of the time; at 8 qubits
1.15 of it and more, so small states take the one network.)

The backward computes the timestep again: autograd keeps its incoming state, and nothing per gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from backends.circuits.fused_circuit import FusedCircuit
from backends.circuits.fusion import FusedGate, group_by_qubits
from backends.local import apply_gates, one_qubit_readouts, plan_gates
from backends.planning import ContractionPlan, ContractionPlanner
from backends.sums import squared_norm

BLOCK_WIDTH = 4
# Columns of the state that share a copy of a block's matrix: the copies are a sixteenth of the state, and a sum of so
# many terms by a matrix product is right to an ulp or so.
_SHARING = 256
_ONE_NETWORK = 9  # qubits below which all gates and the state are contracted as one network


@dataclass(frozen=True)
class _Block:
    """Fused gates on few qubits: these qubits, and the gates with their qubits counted among them."""

    qubits: tuple[int, ...]
    gates: tuple[tuple[tuple[int, ...], FusedGate], ...]


class ContractionEngine:
    """Carries out timesteps of one circuit by planned contractions."""

    def __init__(self, circuit: FusedCircuit, n_qubits: int, dtype: torch.dtype, planner: ContractionPlanner) -> None:
        self.circuit, self.n_qubits, self.dtype, self.planner = circuit, n_qubits, dtype, planner
        groups = group_by_qubits(circuit.fused, BLOCK_WIDTH)
        if self._is_one_network:
            groups = [(tuple(range(n_qubits)), list(circuit.fused))]
        self._blocks = [
            _Block(qubits, tuple((tuple(qubits.index(q) for q in gate.qubits), gate) for gate in gates))
            for qubits, gates in groups
        ]

    def step(self, amplitudes: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
        """Return the amplitudes after the circuit and their readouts, (batch, 2**n) and (batch, 3n)."""
        if not torch.is_grad_enabled():
            return self._step(amplitudes, angles)
        evolved, z = checkpoint(self._step, amplitudes, angles, use_reentrant=False, preserve_rng_state=False)
        return evolved, z

    def readout(self, amplitudes: Tensor) -> Tensor:
        """Return the readouts of the normalised states, (batch, 3n)."""
        psi = amplitudes[:, None, :, None]
        readouts = torch.cat(one_qubit_readouts(psi, psi), -1) / squared_norm(amplitudes)[:, None]
        return readouts.to(amplitudes.real.dtype)

    def states_in_work(self, *, backward: bool) -> int:
        """Return how many states torch holds at once in a timestep, beside those that go in and out.

        Measured on a CPU at 18 to 21 qubits with 6 to 17 blocks, and no more than 15% above it: the backward keeps
        about four for every product with a block, and two for every qubit's readouts.
        """
        return 2 * self.n_qubits + 4 * len(self._blocks) if backward else 22

    def plan(self, angles: Tensor) -> StepPlan:
        """Return the plans of one timestep with angles (batch, n_angles), of which the batch alone matters."""
        bound, batch_size = self.circuit.bind(angles, self.dtype), len(angles)
        builds, applies = [], []
        for block in self._blocks:
            size = 2 ** len(block.qubits)
            gates = [(qubits, bound.matrix(gate)) for qubits, gate in block.gates]
            if self._is_one_network:
                applies.append(plan_gates(self.planner, (batch_size, 1, size, 1), gates))
                continue
            has_angles = any(matrix.dim() == 3 for _, matrix in gates)
            builds.append(plan_gates(self.planner, (batch_size if has_angles else 1, 1, size, size), gates))
            matrix = torch.empty(*([batch_size] if has_angles else []), size, size, dtype=self.dtype)
            applies.append(plan_gates(self.planner, (batch_size, 1, 2**self.n_qubits, 1), [(block.qubits, matrix)]))
        naive = plan_gates(
            ContractionPlanner("order", None),
            (batch_size, 1, 2**self.n_qubits, 1),
            [(gate.qubits, bound.matrix(gate)) for gate in self.circuit.fused],
        )
        return StepPlan(tuple(builds), tuple(applies), naive)

    @property
    def _is_one_network(self) -> bool:
        return self.n_qubits < _ONE_NETWORK

    def _step(self, amplitudes: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
        bound = self.circuit.bind(angles, self.dtype)
        psi = amplitudes[:, None, :, None]
        for block in self._blocks:
            gates = [(qubits, bound.matrix(gate)) for qubits, gate in block.gates]
            psi = apply_gates(self.planner, psi, gates if self._is_one_network else [self._matrix(block, gates)])
        evolved = psi[:, 0, :, 0]
        return evolved, self.readout(evolved)

    def _matrix(self, block: _Block, gates: Sequence[tuple[tuple[int, ...], Tensor]]) -> tuple[tuple[int, ...], Tensor]:
        """A block's qubits and its matrix, (2**k, 2**k) or (batch, 2**k, 2**k)."""
        size = 2 ** len(block.qubits)
        batches = [matrix.shape[0] for _, matrix in gates if matrix.dim() == 3]
        identity = torch.eye(size, dtype=self.dtype, device=gates[0][1].device)
        matrix = apply_gates(self.planner, identity.expand(max(batches, default=1), 1, size, size), gates)[:, 0]
        return block.qubits, self._spread(matrix) if batches else matrix[0]

    def _spread(self, matrix: Tensor) -> Tensor:
        """A block's matrix for every value of the first qubits outside it: a copy for every `_SHARING` columns.

        The cotangent of the matrix is a sum over all columns. The product adds up those that share a copy, and the
        backward of `expand` the copies, in double precision.
        """
        axes = self.n_qubits - BLOCK_WIDTH - _SHARING.bit_length() + 1
        if axes <= 0 or matrix.dtype == torch.complex128 or not torch.is_grad_enabled():
            return matrix
        batch, size, _ = matrix.shape
        wide = matrix.to(torch.complex128).reshape(batch, *[1] * axes, size, size)
        return wide.expand(batch, *[2] * axes, size, size).to(matrix.dtype)


@dataclass(frozen=True)
class StepPlan:
    """The contractions of one timestep: the blocks' matrices, then one product with the state for each block.

    Printing it shows the price, against applying the gates one after the other, and every contraction.
    """

    builds: tuple[ContractionPlan, ...]
    applies: tuple[ContractionPlan, ...]
    naive: ContractionPlan

    @property
    def multiply_adds(self) -> int:
        """Scalar multiply-adds of the timestep."""
        return sum(plan.multiply_adds for plan in (*self.builds, *self.applies))

    @property
    def written(self) -> int:
        """Elements written, intermediates and results."""
        return sum(plan.written for plan in (*self.builds, *self.applies))

    @property
    def largest_intermediate(self) -> int:
        """Elements of the largest tensor."""
        return max((plan.largest_intermediate for plan in (*self.builds, *self.applies)), default=0)

    def __str__(self) -> str:
        head = [
            f"one timestep: {len(self.naive.inputs) - 1} fused gates in {len(self.applies)} product(s) with the state",
            f"  multiply-adds         {self.multiply_adds:.3e}   ({self.naive.multiply_adds:.3e} gate by gate)",
            f"  elements written      {self.written:.3e}   ({self.naive.written:.3e} gate by gate: "
            f"{self.naive.written / max(1, self.written):.2f}x fewer)",
            f"  largest intermediate  {self.largest_intermediate:.3e} elements",
        ]
        return "\n".join([*head, *(str(plan) for plan in (*self.builds, *self.applies))])
