"""`MPSBackend`: simulation by a batched matrix product state whose bonds are truncated to `max_bond`."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from backends.base import Backend
from backends.circuits.circuit import Circuit
from backends.errors import InvalidInput, require_choice, require_number, require_positive_int
from backends.kernels.pairs import Constants, PairOperation, pair_operations
from backends.kernels.vectors import LANES
from backends.memory import require_memory
from backends.mps.engine.moves import split_pair
from backends.mps.engine.readout import readouts, schmidt_values
from backends.mps.engine.step import TorchEngine
from backends.mps.kernel.compiled import compiled_step
from backends.mps.kernel.program import MPSProgram, compile_schedule, serves
from backends.mps.layout import Layout
from backends.mps.ledger import Ledger, Truncation
from backends.mps.schedule import Operation, schedule
from backends.mps.state import MPSState
from backends.planning import DEFAULT_PLANNER, ContractionPlanner
from backends.quimb_states import chain, right_orthonormal
from backends.statevector import StatevectorBackend, StatevectorState
from backends.statevector.backend import ENGINES

if TYPE_CHECKING:
    import quimb.tensor as qtn


class MPSBackend(Backend[MPSState]):
    """Holds the state as an MPS. Cost linear in qubits and cubic in `max_bond`; exact where nothing is truncated.

    `max_bond`: largest bond dimension chi, at least 1; None never truncates (and then needs as much memory as the
    statevector). `truncation_cutoff` in [0, 1): squared Schmidt values of the normalised state up to this weight are
    dropped as well. With `target_error` in [0, 1) as few are kept as leave a discarded weight of at most that in each
    truncation; `state.max_bond_binds` counts those where `max_bond` did not allow it. Shapes stay the same.

    `engine` says how a step is computed. "kernel": the compiled kernel for the CPU (see `kernel`), for circuits whose
    distant gates are controlled ones or RZZ. "contraction": torch operations on any device. "auto": the kernel where
    it serves.
    """

    name = "mps"
    state_type = MPSState

    def __init__(
        self,
        circuit: Circuit,
        *,
        max_bond: int | None = 16,
        truncation_cutoff: float = 0.0,
        target_error: float | None = None,
        engine: str = "auto",
        dtype: torch.dtype = torch.complex64,
        planner: ContractionPlanner = DEFAULT_PLANNER,
    ) -> None:
        super().__init__(circuit, dtype=dtype, planner=planner)
        if max_bond is not None:
            max_bond = require_positive_int(self.name, "max_bond (or None, which never truncates)", max_bond)
        require_number(self.name, "truncation_cutoff", truncation_cutoff, 0, 1)
        self._engine = require_choice(self.name, "engine", engine, ENGINES)
        self._layout = Layout.of(circuit.n_qubits, max_bond)
        if target_error is not None:
            require_number(self.name, "target_error (or None, which sets none)", target_error, 0, 1)
            target_error = float(target_error)
        self._truncation = Truncation(max_bond or 1, float(truncation_cutoff), target_error)
        self._kernel_programs: dict[int, MPSProgram] = {}
        self._torch = TorchEngine(self._fused_circuit, self._layout, self._truncation, dtype, planner)
        # A single block holds all amplitudes: then this is the statevector under another name.
        self._exact = StatevectorBackend(circuit, dtype=dtype, planner=planner) if self._layout.n_sites == 1 else None
        self._home = next((op.first for op in self._torch.operations if op.needs_centre), 0)
        if engine == "kernel" and not self._kernel_serves:
            raise InvalidInput("mps: engine='kernel' has no RXX, RYY or SWAP between distant sites; leave engine out.")

    def _uses_kernel(self, device: torch.device) -> bool:
        return self._engine != "contraction" and device.type == "cpu" and self._kernel_serves

    @cached_property
    def _kernel_serves(self) -> bool:
        return serves(self._pairs[0])

    @cached_property
    def _pairs(self) -> tuple[tuple[Operation[PairOperation], ...], Constants]:
        pairs, constants = pair_operations(self._fused_circuit.gates)
        return schedule(pairs, self._layout), constants

    def _kernel_program(self, centre: int) -> MPSProgram:
        """The program of a timestep that begins with the centre at `centre`, compiled once."""
        if centre not in self._kernel_programs:
            self._kernel_programs[centre] = compile_schedule(*self._pairs, self._layout, centre)
        return self._kernel_programs[centre]

    @property
    def max_bond(self) -> int | None:
        """Largest bond dimension, or None."""
        return self._layout.max_bond

    @property
    def truncation_cutoff(self) -> float:
        """Weight up to which a squared Schmidt value is dropped."""
        return self._truncation.cutoff

    @property
    def target_error(self) -> float | None:
        """Largest discarded weight that one truncation should have, or None."""
        return self._truncation.target_error

    @property
    def layout(self) -> Layout:
        """Which qubits share a site tensor."""
        return self._layout

    def bytes_per_sample(self) -> int:
        if self._exact is not None:
            return self._exact.bytes_per_sample()
        elements = [left * width * right for left, width, right in self._layout.shapes()]
        return (2 * sum(elements) + 4 * max(elements)) * self.dtype.itemsize

    def require_memory(self, batch_size: int, device: torch.device) -> None:
        limit = f"max_bond={self.max_bond}" + (", which never truncates," if self.max_bond is None else "")
        wanted = f"{self.n_qubits} qubits with {limit} and batch {batch_size}"
        instead = "Use a smaller max_bond or a smaller batch."
        states = batch_size * self.bytes_per_sample()
        require_memory(self.name, wanted, states, device, instead)
        # Afterwards, because the kernel's tables of a state beyond all bounds would not even count its numbers.
        require_memory(self.name, wanted, states + self.work_space(batch_size, device), device, instead)

    def kernel_operations(self, state: MPSState) -> list[int]:
        """Kinds of the kernel's operations in a timestep that begins with `state`, see `kernel.timestep`."""
        return [int(op["kind"]) for op in self._kernel_program(state.centre).tables.ops]

    def work_space(self, batch_size: int, device: torch.device) -> int:
        """Bytes that the kernel's threads work in: each keeps what it splits in a timestep of one tile."""
        if self._exact is not None:
            return self._exact.work_space(batch_size, device)
        if not self._uses_kernel(device):
            return 0
        program = self._kernel_program(self._home)
        threads = min(torch.get_num_threads(), -(-batch_size // LANES))
        return threads * LANES * self.dtype.itemsize * program.numbers_in_work

    def _initial_state(self, batch_size: int, device: torch.device) -> MPSState:
        """|0...0>, its bonds filled up with directions of weight zero, the centre where the first truncation is."""
        sites = []
        for site, (left, width, right) in enumerate(self._layout.shapes()):
            if site == self._home:
                tensor = torch.zeros(left * width, right, dtype=self.dtype, device=device)
                tensor[0, 0] = 1
            elif site < self._home:
                tensor = torch.eye(left * width, right, dtype=self.dtype, device=device)
            else:
                tensor = torch.eye(left, width * right, dtype=self.dtype, device=device)
            sites.append(tensor.reshape(1, left, width, right).repeat(batch_size, 1, 1, 1))
        ledger = Ledger.empty(batch_size, self.real_dtype, device)
        return MPSState.of_sites(self._layout, sites, self._home, ledger)

    def _check_state(self, state: object) -> None:
        super()._check_state(state)
        assert isinstance(state, MPSState)
        if state.layout != self._layout:
            raise InvalidInput(
                f"mps: this backend has max_bond={self.max_bond}, the state comes from one with "
                f"max_bond={state.layout.max_bond}; convert it with from_dense(to_dense()) or use one backend."
            )

    def _step(self, state: MPSState, angles: Tensor) -> tuple[MPSState, Tensor]:
        if self._exact is not None:
            exact, z = self._exact.step(StatevectorState(self.n_qubits, state.numbers), angles)
            return MPSState(self._layout, exact.amplitudes, state.centre, state.ledger), z
        if self._uses_kernel(angles.device):
            return self._run_kernel(state, angles, self._kernel_program(state.centre))
        return self._torch.step(state, angles)

    def _run_kernel(self, state: MPSState, angles: Tensor, program: MPSProgram) -> tuple[MPSState, Tensor]:
        numbers, z, sums = compiled_step(state.numbers, angles, self.n_qubits, program, self._truncation)
        return MPSState(self._layout, numbers, program.centre, state.ledger.plus(sums)), z

    def _readout(self, state: MPSState) -> Tensor:
        if self._exact is not None:
            return self._exact.readout(StatevectorState(self.n_qubits, state.numbers))
        if self._uses_kernel(state.device):  # as a step without gates, so that both give the same to the last bit
            program = compile_schedule((), self._pairs[1], self._layout, state.centre)
            return self._run_kernel(state, state.numbers.real.new_empty(state.batch_size, 0), program)[1]
        return readouts(state)

    def _from_dense(self, amplitudes: Tensor) -> MPSState:
        return self._from_chain([amplitudes[:, None, :, None]])

    def _from_networks(self, networks: list[qtn.TensorNetwork]) -> MPSState:
        chains = [chain(network, self.n_qubits) for network in networks]
        self.require_memory(len(networks), torch.device("cpu"))
        states = [self._from_chain(self._normalised(sites)) for sites in chains if sites is not None]
        if len(states) < len(networks):
            return super()._from_networks(networks)
        tensors = zip(*(state.tensors for state in states), strict=True)
        return states[0]._replace([torch.cat(samples) for samples in tensors])

    def _normalised(self, sites: list[Tensor]) -> list[Tensor]:
        """The sites of one sample, each (1, left bond, width, right bond), the centre in the first."""
        sites = right_orthonormal(sites)
        if not bool(all(torch.isfinite(site).all() for site in sites) and sites[0].any()):
            raise InvalidInput("mps: from_quimb needs finite numbers with a norm above zero in every network.")
        return [site[None].to(self.dtype) for site in sites]

    def _from_chain(
        self,
        pieces: list[Tensor],  # each (batch, left bond, 2**width, right bond), the centre in the first
    ) -> MPSState:
        """Peel off block after block from the left, truncating each bond."""
        rest, *waiting = pieces
        batch, sites = len(rest), list[Tensor]()
        ledger = Ledger.empty(batch, self.real_dtype, rest.device)
        for left, width, right in self._layout.shapes()[:-1]:
            # Until the block is complete and what lies right of it has as many numbers as the bond.
            while rest.shape[2] < width or rest.shape[2] // width * rest.shape[3] < right:
                rest = _joined(rest, waiting.pop(0))
            pair = [rest, rest]
            theta = rest.reshape(batch, left, width, -1, 1)
            ledger = split_pair(pair, 0, theta, self._truncation, ledger, centre_right=True)
            sites.append(pair[0])
            rest = pair[1].reshape(batch, right, rest.shape[2] // width, rest.shape[3])
        sites.append(reduce(_joined, waiting, rest))
        return MPSState.of_sites(self._layout, sites, len(sites) - 1, ledger)

    def _schmidt_values(self, state: MPSState) -> list[Tensor]:
        return schmidt_values(state)

    def _to_dense(self, state: MPSState) -> Tensor:
        result = state.sites[0].flatten(1, 2)
        for site in state.sites[1:]:
            result = (result @ site.flatten(2)).reshape(site.shape[0], -1, site.shape[3])
        return result[:, :, 0]

    def to_quimb(self, state: MPSState, sample: int = 0) -> qtn.TensorNetwork:
        import quimb.tensor as qtn

        self._check_state(state)
        tensors = [
            qtn.Tensor(
                piece[0].detach().cpu().numpy(), [f"k{name[1:]}" if name[0] == "q" else name for name in names[1:]]
            )
            for piece, names in state[sample].network()
        ]
        return qtn.TensorNetworkGenVector.from_TN(
            qtn.TensorNetwork(tensors).squeeze(), sites=range(self.n_qubits), site_tag_id="I{}", site_ind_id="k{}"
        )


def _joined(
    left: Tensor,  # (batch, left bond, width, bond)
    right: Tensor,  # (batch, bond, width, right bond)
) -> Tensor:  # (batch, left bond, both widths, right bond)
    """Two neighbouring sites as one."""
    both = left.flatten(1, 2) @ right.flatten(2)
    return both.reshape(len(left), left.shape[1], -1, right.shape[3])
