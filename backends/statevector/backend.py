"""`StatevectorBackend`: exact simulation on any torch device."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from backends.base import Backend
from backends.circuits.circuit import Circuit
from backends.errors import InvalidInput, require_choice
from backends.memory import require_memory
from backends.planning import DEFAULT_PLANNER, ContractionPlanner
from backends.schmidt import schmidt_values_of_dense
from backends.statevector.compiled import compiled_step
from backends.statevector.contraction import ContractionEngine, StepPlan
from backends.statevector.program import StatevectorProgram, compile_gates
from backends.statevector.reversible import Moment
from backends.statevector.spreading import work_space
from backends.statevector.state import StatevectorState

if TYPE_CHECKING:
    import quimb.tensor as qtn


ENGINES = ("auto", "kernel", "contraction")
GRADIENTS = ("stored", "reversible")


class StatevectorBackend(Backend[StatevectorState]):
    """Holds all amplitudes. Exact; memory and time grow as 2**n_qubits.

    `engine` says how a step is computed. "kernel": the compiled kernel for the CPU (see `kernel`). "contraction": a few
    large batched products by torch on any device, in the order that the `planner` finds (see `contraction`). "auto":
    the kernel on the CPU, contraction elsewhere.

    `gradient` says what the kernel keeps for the backward. "stored": one state per timestep. "reversible": no state,
    the earlier ones are recovered from the last (see `reversible`), so that memory does not grow with the timesteps.
    """

    name = "statevector"
    state_type = StatevectorState

    def __init__(
        self,
        circuit: Circuit,
        *,
        engine: str = "auto",
        gradient: str = "stored",
        dtype: torch.dtype = torch.complex64,
        planner: ContractionPlanner = DEFAULT_PLANNER,
    ) -> None:
        super().__init__(circuit, dtype=dtype, planner=planner)
        self._engine = require_choice(self.name, "engine", engine, ENGINES)
        self._gradient = require_choice(self.name, "gradient", gradient, GRADIENTS)
        if gradient == "reversible" and engine == "contraction":
            raise InvalidInput("statevector: gradient='reversible' needs the kernel; leave engine out.")

    @cached_property
    def _kernel_program(self) -> StatevectorProgram:
        return compile_gates(self.n_qubits, self._fused_circuit.gates)

    @cached_property
    def _contraction(self) -> ContractionEngine:
        return ContractionEngine(self._fused_circuit, self.n_qubits, self.dtype, self._planner)

    @cached_property
    def _no_gates(self) -> StatevectorProgram:
        return compile_gates(self.n_qubits, ())

    def bytes_per_sample(self) -> int:
        states = 4 if torch.is_grad_enabled() else 2  # a state and its successor, and their cotangents in the backward
        return states * self.dtype.itemsize << self.n_qubits

    def require_memory(self, batch_size: int, device: torch.device) -> None:
        smaller = " dtype complex64," if self.dtype == torch.complex128 else ""
        wanted = f"{self.n_qubits} qubits with batch {batch_size}"
        instead = f"Use backend='mps' with a max_bond,{smaller} fewer qubits or a smaller batch."
        states = batch_size * self.bytes_per_sample()
        require_memory(self.name, wanted, states, device, instead)
        # Afterwards, because the kernel's tables of a state beyond all bounds are not small.
        require_memory(self.name, wanted, states + self.work_space(batch_size, device), device, instead)

    def work_space(self, batch_size: int, device: torch.device) -> int:
        """Bytes that the kernel or the contractions work in; also of the backward, where gradients are recorded."""
        backward = torch.is_grad_enabled()
        if self._uses_kernel(device):
            return work_space(self._kernel_program, batch_size, self.real_dtype.itemsize, backward=backward)
        return batch_size * self._contraction.states_in_work(backward=backward) * self.dtype.itemsize << self.n_qubits

    def _initial_state(self, batch_size: int, device: torch.device) -> StatevectorState:
        amplitudes = torch.zeros(batch_size, 2**self.n_qubits, dtype=self.dtype, device=device)
        amplitudes[:, 0] = 1
        return StatevectorState(self.n_qubits, amplitudes)

    def _step(self, state: StatevectorState, angles: Tensor) -> tuple[StatevectorState, Tensor]:
        if self._uses_kernel(angles.device):
            moments = None
            if self._gradient == "reversible" and torch.is_grad_enabled():
                moment = state.moment
                if moment is None or not moment.is_of(state.amplitudes):
                    moment = Moment(state.amplitudes.detach())
                moments = moment, Moment(None)
            amplitudes, z = compiled_step(state.amplitudes, angles, self._kernel_program, moments)
            return StatevectorState(self.n_qubits, amplitudes, moments[1] if moments else None), z
        amplitudes, z = self._contraction.step(state.amplitudes, angles)
        return StatevectorState(self.n_qubits, amplitudes), z

    def _uses_kernel(self, device: torch.device) -> bool:
        return self._engine == "kernel" or (self._engine == "auto" and device.type == "cpu")

    def _readout(self, state: StatevectorState) -> Tensor:
        if self._uses_kernel(state.device):  # as a step without gates, so that both give the same to the last bit
            no_angles = state.amplitudes.real.new_empty(state.batch_size, 0)
            return compiled_step(state.amplitudes, no_angles, self._no_gates)[1]
        return self._contraction.readout(state.amplitudes)

    def _from_dense(self, amplitudes: Tensor) -> StatevectorState:
        return StatevectorState(self.n_qubits, amplitudes)

    def _schmidt_values(self, state: StatevectorState) -> list[Tensor]:
        return schmidt_values_of_dense(state.amplitudes[:, None, :, None])

    def _to_dense(self, state: StatevectorState) -> Tensor:
        return state.amplitudes

    def to_quimb(self, state: StatevectorState, sample: int = 0) -> qtn.TensorNetwork:
        import quimb.tensor as qtn

        self._check_state(state)
        return qtn.Dense1D(state[sample].amplitudes[0].detach().cpu().numpy())

    def contraction_plan(self, batch_size: int) -> StepPlan:
        """Return the plan of one timestep by contractions, to print its order, multiply-adds, largest intermediate."""
        return self._contraction.plan(torch.zeros(batch_size, self.n_angles, dtype=self.real_dtype))
