"""A timestep of the MPS in torch operations: on any device, for any gates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from backends.circuits.fused_circuit import BoundCircuit, FusedCircuit
from backends.circuits.fusion import FusedGate
from backends.local import apply_gates
from backends.mps.engine.canonical import canonicalise
from backends.mps.engine.moves import insert_factors, shift_centre, split_pair, truncate_sweep
from backends.mps.engine.readout import readouts
from backends.mps.layout import Layout
from backends.mps.ledger import Ledger, Truncation
from backends.mps.schedule import Operation, next_centre, schedule
from backends.mps.state import MPSState
from backends.planning import ContractionPlanner


@dataclass(frozen=True, eq=False)
class TorchEngine:
    """Applies the gates of a circuit to site tensors, and reads out."""

    circuit: FusedCircuit
    layout: Layout
    truncation: Truncation
    dtype: torch.dtype
    planner: ContractionPlanner

    @cached_property
    def operations(self) -> tuple[Operation[FusedGate], ...]:
        """What happens on which sites, in order."""
        return schedule(self.circuit.fused, self.layout)

    def step(self, state: MPSState, angles: Tensor) -> tuple[MPSState, Tensor]:
        """Return the state after one timestep, and its readouts (batch, 3 n_qubits); angles (batch, n_angles)."""
        evolved = self._evolve(state, angles)
        return evolved, readouts(evolved)

    def _evolve(self, state: MPSState, angles: Tensor) -> MPSState:
        bound = self.circuit.bind(angles, self.dtype)
        sites, centre, ledger = list(state.sites), state.centre, state.ledger
        for index, operation in enumerate(self.operations):
            if not operation.needs_centre:
                self._apply_within(sites, operation, bound)
                continue
            centre = shift_centre(sites, centre, min(max(centre, operation.first), operation.last))
            rightwards = next_centre(self.operations, index) >= operation.last
            if operation.last == operation.first + 1:
                theta = self._apply_across(sites, operation, bound)
                ledger = split_pair(sites, operation.first, theta, self.truncation, ledger, centre_right=rightwards)
            else:
                ledger = self._apply_far(sites, operation, bound, ledger, rightwards)
            centre = operation.last if rightwards else operation.first
        return MPSState.of_sites(self.layout, sites, centre, ledger)

    def _apply_within(self, sites: list[Tensor], operation: Operation[FusedGate], bound: BoundCircuit) -> None:
        """Gates within one block: unitary on its qubits, so isometries stay isometries wherever the centre is."""
        site = operation.first
        gates = [(self._positions(gate, site), bound.matrix(gate)) for gate in operation.gates]
        sites[site] = apply_gates(self.planner, sites[site], gates)

    def _apply_across(self, sites: list[Tensor], operation: Operation[FusedGate], bound: BoundCircuit) -> Tensor:
        """Merge two neighbouring blocks and apply gates: (batch, left, 2**width, 2**width, right)."""
        first, second = sites[operation.first], sites[operation.last]
        merged = first.flatten(1, 2) @ second.flatten(2)
        batch, left, width, _ = first.shape
        gates = [(self._positions(gate, operation.first), bound.matrix(gate)) for gate in operation.gates]
        theta = apply_gates(self.planner, merged.reshape(batch, left, width * second.shape[2], -1), gates)
        return theta.reshape(batch, left, width, second.shape[2], second.shape[3])

    def _apply_far(
        self,
        sites: list[Tensor],
        operation: Operation[FusedGate],
        bound: BoundCircuit,
        ledger: Ledger,
        rightwards: bool,
    ) -> Ledger:
        """One gate between distant blocks, as a sum of products carried along the bonds between them.

        The bonds grow by the gate's operator-Schmidt rank, the centre sweeps to one end to restore the canonical form,
        and back to truncate every bond. No qubits are swapped.
        """
        (gate,) = operation.gates
        ends, factors = [self.layout.find(qubit) for qubit in gate.qubits], bound.factors(gate)
        if ends[0] > ends[1]:
            ends, factors = ends[::-1], factors[::-1]
        insert_factors(sites, ends[0], ends[1], factors)
        canonicalise(sites, operation.first, operation.last, rightwards=not rightwards)
        return truncate_sweep(sites, operation.first, operation.last, self.truncation, ledger, rightwards=rightwards)

    def _positions(self, gate: FusedGate, first_site: int) -> tuple[int, ...]:
        """Qubits of a gate, counted from the first qubit of a site."""
        origin = self.layout.blocks[first_site][0]
        return tuple(qubit - origin for qubit in gate.qubits)
