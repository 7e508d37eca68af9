"""The interface of every backend, and of the states they hand out. The docstrings state laws; `tests/` runs each one.

A backend is frozen settings, a state a frozen bundle of tensors: state in, state out, nothing is changed in place.
The batch is a real leading axis: every sample has its own angles and its own truncation error.

Readouts are ordered as all X, then all Y, then all Z: (batch, 3 n_qubits). Qubit 0 is the most significant bit of a
basis state. Angles are radians, entropies nats.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import torch
from torch import Tensor

from backends.circuits.circuit import Circuit, check_pauli_strings
from backends.circuits.fused_circuit import FusedCircuit
from backends.circuits.gates import constant
from backends.errors import InvalidInput, require_choice, require_positive_int, require_tensor
from backends.memory import require_memory
from backends.planning import DEFAULT_PLANNER, ContractionPlanner, Labels
from backends.quimb_states import check_networks, dense
from backends.samples import Index, chosen_samples, where
from backends.schmidt import participation_ratio, von_neumann_entropy
from backends.sums import BLOCK_BITS, squared_norm, total

if TYPE_CHECKING:
    import quimb.tensor as qtn

_REAL = {torch.complex64: torch.float32, torch.complex128: torch.float64}

RANK_MEASURES = ("entropy", "participation")


class State(ABC):
    """The state of `n_qubits` qubits for every sample of a batch. Immutable; autograd flows through its tensors."""

    n_qubits: int
    readouts: Tensor | None  # what was measured of it, (batch, 3 n_qubits), by whoever stepped it; None: not measured

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor of the state, each with the batch as its leading axis."""

    @property
    @abstractmethod
    def truncation_error(self) -> Tensor:
        """(batch,): sum over all truncations since the initial state of the discarded weight.

        The discarded weight of one truncation is epsilon = sum of the discarded squared Schmidt values of the
        normalised state. Zeros for an exact backend. No gradient flows through it.
        """

    @property
    @abstractmethod
    def infidelity_bound(self) -> Tensor:
        """(batch,): proved bound, up to rounding, on 1 - fidelity with the state never truncated; `mps.ledger`."""

    @property
    @abstractmethod
    def max_bond_binds(self) -> Tensor:
        """(batch,): how many truncations missed the backend's `target_error` because of `max_bond`; zeros without."""

    @abstractmethod
    def network(self) -> list[tuple[Tensor, Labels]]:
        """The state as a tensor network: tensors with index labels, the batch labelled "batch", qubit k "q{k}"."""

    @abstractmethod
    def _replace(self, tensors: Sequence[Tensor]) -> Self:
        """The same state with other tensors, in the order of `tensors`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._facts())})"

    def _facts(self) -> list[str]:
        """What a line about the state tells; no amplitudes."""
        dtype = str(self.dtype).removeprefix("torch.")
        return [f"n_qubits={self.n_qubits}", f"batch_size={self.batch_size}", f"dtype={dtype}", f"device={self.device}"]

    @property
    def structure(self) -> Hashable:
        """What two states must share besides shapes for their tensors to mean the same."""
        return self.n_qubits

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return self.tensors[0].shape[0]

    @property
    def dtype(self) -> torch.dtype:
        """torch.complex64 or torch.complex128."""
        return self.tensors[0].dtype

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.tensors[0].device

    def _map(self, function: Callable[[Tensor], Tensor]) -> Self:
        mapped = self._replace([function(tensor) for tensor in self.tensors])
        return mapped if self.readouts is None else mapped.measured(function(self.readouts))

    def measured(self, readouts: Tensor | None) -> Self:
        """Return the same state, which keeps what was measured of it; a step makes a state without."""
        return dataclasses.replace(self, readouts=readouts)  # type: ignore[type-var]

    def detach(self) -> Self:
        """Return the same state, cut from the autograd graph (truncated backpropagation through time)."""
        return self._map(Tensor.detach)

    def to(self, device: torch.device | str) -> Self:
        """Return the state on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def __getitem__(self, index: Index) -> Self:
        """Return the samples chosen by an integer, a slice, a list or a tensor of integers or booleans.

        The batch axis stays; repeated samples are allowed. Raises InvalidInput where no sample is chosen.
        """
        numbers = chosen_samples(index, self.batch_size, self.device)
        return self._map(lambda tensor: tensor[numbers])

    def where(self, mask: Tensor, other: Self) -> Self:
        """Return per sample this state where `mask` (batch,) is true, `other` elsewhere."""
        shapes = [tensor.shape for tensor in self.tensors]
        if type(other) is not type(self) or other.structure != self.structure or tuple(mask.shape) != shapes[0][:1]:
            raise InvalidInput(
                f"state: where needs a mask of shape ({self.batch_size},) and two states of one backend, got "
                f"{tuple(mask.shape)} and {_describe(other)}."
            )
        if [tensor.shape for tensor in other.tensors] != shapes:
            raise InvalidInput(f"state: where between batches of {self.batch_size} and {other.batch_size} samples.")
        pairs = zip(self.tensors, other.tensors, strict=True)
        chosen = self._replace([where(mask, a, b) for a, b in pairs])
        if self.readouts is None or other.readouts is None:
            return chosen
        return chosen.measured(where(mask, self.readouts, other.readouts))


S = TypeVar("S", bound=State)


class Backend(ABC, Generic[S]):
    """Simulates one circuit, timestep after timestep.

    Laws, each of them a test over every backend:

    1. `to_dense(step(s, a)[0]) == U(a) @ to_dense(s)`: exactly for statevector; for MPS within the truncation that
       the state reports.
    2. Reading never changes what is read. Readouts are those of the normalised state, |z| <= 1 up to rounding.
    3. `step` is differentiable in the angles and in the incoming state, with all readout cotangents and the state
       cotangent at once; T steps give the same gradient however they are split into calls.
    4. A backend is frozen settings, a state a frozen bundle of tensors.
    5. The batch is a real axis; samples do not influence each other.
    6. When nothing needs truncating, value and gradient are exact, at every point.
    7. A request that cannot fit is refused before anything is allocated.
    """

    name: ClassVar[str]
    state_type: ClassVar[type[State]]
    choice: str | None = None  # why `create_backend("auto", ...)` took this backend

    def __init__(
        self,
        circuit: Circuit,
        *,
        dtype: torch.dtype = torch.complex64,
        planner: ContractionPlanner = DEFAULT_PLANNER,
    ) -> None:
        if not isinstance(circuit, Circuit):
            raise InvalidInput(
                f"{self.name}: the circuit must be a Circuit, got {type(circuit).__name__}; an Ansatz has one as its "
                "attribute 'circuit'."
            )
        if not isinstance(dtype, torch.dtype) or dtype not in _REAL:
            raise InvalidInput(f"{self.name}: dtype must be torch.complex64 or torch.complex128, got {dtype}.")
        if not isinstance(planner, ContractionPlanner):
            raise InvalidInput(f"{self.name}: planner must be a ContractionPlanner, got {planner!r}.")
        self._fused_circuit = FusedCircuit(circuit)
        self._n_qubits, self._n_angles = circuit.n_qubits, circuit.n_angles
        self._dtype, self._planner = dtype, planner

    @property
    def n_qubits(self) -> int:
        """Number of qubits."""
        return self._n_qubits

    @property
    def n_angles(self) -> int:
        """Number of angles that `step` takes per sample."""
        return self._n_angles

    @property
    def dtype(self) -> torch.dtype:
        """Type of the amplitudes."""
        return self._dtype

    @property
    def real_dtype(self) -> torch.dtype:
        """Type of angles and readouts: float32 for complex64, float64 for complex128."""
        return _REAL[self._dtype]

    # What every implementation provides.

    @abstractmethod
    def _initial_state(self, batch_size: int, device: torch.device) -> S: ...

    @abstractmethod
    def _step(self, state: S, angles: Tensor) -> tuple[S, Tensor]: ...

    @abstractmethod
    def _readout(self, state: S) -> Tensor: ...

    @abstractmethod
    def _from_dense(self, amplitudes: Tensor) -> S: ...

    @abstractmethod
    def bytes_per_sample(self) -> int:
        """Bytes that one step holds per sample: the state, its successor and the largest intermediate."""

    @abstractmethod
    def _schmidt_values(self, state: S) -> list[Tensor]:
        """Schmidt values at every cut, not normalised: (batch, rank), largest first."""

    @abstractmethod
    def _to_dense(self, state: S) -> Tensor: ...

    @abstractmethod
    def to_quimb(self, state: S, sample: int = 0) -> qtn.TensorNetwork:
        """Return one sample as a quimb tensor network with the site indices k0, k1, ..."""

    # What is the same for all of them.

    def initial_state(self, batch_size: int, device: torch.device | str = "cpu") -> S:
        """Return |0...0> for every sample; refuses a batch that does not fit the device's memory."""
        batch_size = require_positive_int(self.name, "batch_size", batch_size)
        try:
            where = torch.device(device)
        except RuntimeError as error:
            raise InvalidInput(f"{self.name}: unknown device {device!r}; use 'cpu', 'cuda' or 'cuda:0'.") from error
        self.require_memory(batch_size, where)
        return self._initial_state(batch_size, where)

    @abstractmethod
    def require_memory(self, batch_size: int, device: torch.device) -> None:
        """Refuse a batch whose step does not fit the memory that is free on `device`; allocates nothing."""

    def require_state(self, state: Any) -> None:
        """Refuse what is no state of this backend: of other qubits, dtype or layout, or of another backend."""
        self._check_state(state)

    def step(self, state: S, angles: Tensor) -> tuple[S, Tensor]:
        """Apply the circuit: law `to_dense(step(s, a)[0]) == U(a) @ to_dense(s)`.

        `angles` (batch, n_angles) in radians. Returns the new state and its readouts (batch, 3 n_qubits).
        Raises InvalidInput on a foreign state, and on angles of another batch, length, dtype or device, or not finite
        (on a GPU the last is not checked: it would stall the time loop).
        """
        self._check_state(state)
        self._check_angles(state, angles)
        return self._step(state, angles)

    def readout(self, state: S) -> Tensor:
        """Return <X>, <Y>, <Z> of every qubit of the normalised state: (batch, 3 n_qubits). Changes nothing."""
        self._check_state(state)
        return self._readout(state)

    def expectation(self, state: S, paulis: str | Sequence[str]) -> Tensor:
        """Return the expectation of Pauli strings such as "XZIY", one letter per qubit, qubit 0 first.

        (batch,) for one string, (batch, strings) for a sequence of them. Of the normalised state.
        """
        self._check_state(state)
        strings = check_pauli_strings(self.name, paulis, self.n_qubits)
        norm = self._sandwich(state, state).real
        values = torch.stack([self._sandwich(state, state, string).real / norm for string in strings], -1)
        values = values.to(self.real_dtype)
        return values[:, 0] if isinstance(paulis, str) else values

    def schmidt_values(self, state: S) -> list[Tensor]:
        """Return the Schmidt values of the normalised state at every cut of qubits 0..i | i+1..n-1. No gradient.

        n_qubits - 1 tensors (batch, rank), largest first, their squares adding up to 1; the ranks may differ.
        """
        self._check_state(state)
        with torch.no_grad():
            found = self._schmidt_values(state)
            return [values / torch.linalg.vector_norm(values, dim=-1, keepdim=True) for values in found]

    def entanglement_entropy(self, state: S) -> Tensor:
        """Return the von Neumann entropy in nats at every cut of qubits 0..i | i+1..n-1: (batch, n_qubits - 1).

        No gradient.
        """
        return self._at_every_cut(state, von_neumann_entropy)

    def effective_rank(self, state: S, measure: str = "entropy") -> Tensor:
        """Return about how many Schmidt values matter at every cut, between 1 and their number: (batch, n_qubits - 1).

        With p the squared Schmidt values, `measure` "entropy" is the exponential of their entropy -sum p ln p;
        "participation" is 1 / sum p^2, never larger and less moved by a tail of small values. Both are r where r values
        are equal and the others zero. What a bond of dimension chi can hold has an effective rank of at most chi. No
        gradient. Raises InvalidInput on another measure.
        """
        require_choice(self.name, "measure", measure, RANK_MEASURES)
        if measure == "entropy":
            return self.entanglement_entropy(state).exp()
        return self._at_every_cut(state, participation_ratio)

    def fidelity(self, state: S, other: State) -> Tensor:
        """Return |<a|b>|^2 of the normalised states, (batch,); `other` may come from another backend."""
        self._check_state(state)
        if not isinstance(other, State) or other.n_qubits != self.n_qubits or other.batch_size != state.batch_size:
            raise InvalidInput(
                f"{self.name}: fidelity needs two states of {self.n_qubits} qubits and batch {state.batch_size}, got "
                f"{_describe(other)}."
            )
        if other.device != state.device or other.dtype != state.dtype:
            raise InvalidInput(
                f"{self.name}: fidelity of a state on {state.device} ({state.dtype}) with one on {other.device} "
                f"({other.dtype}); bring both to one device and dtype first."
            )
        norms = self._sandwich(state, state).real * self._sandwich(other, other).real
        overlap = self._sandwich(state, other)
        return ((overlap.real**2 + overlap.imag**2) / norms).to(self.real_dtype)

    def to_dense(self, state: S) -> Tensor:
        """Return the amplitudes, (batch, 2**n_qubits), qubit 0 most significant; refused if they do not fit."""
        self._check_state(state)
        require_memory(
            self.name,
            f"the amplitudes of {self.n_qubits} qubits with batch {state.batch_size}",
            state.batch_size * 2**self.n_qubits * self.dtype.itemsize,
            state.device,
            "Read the state by readout(), expectation() or fidelity() instead.",
        )
        return self._to_dense(state)

    def from_dense(self, amplitudes: Tensor) -> S:
        """Return the state with these amplitudes, (batch, 2**n_qubits), normalised; MPS truncates and reports it."""
        require_tensor(f"{self.name}: from_dense", "amplitudes", amplitudes)
        expected = 2**self.n_qubits
        if (
            len(amplitudes) == 0
            or amplitudes.dim() != 2
            or amplitudes.shape[1] != expected
            or amplitudes.dtype != self.dtype
        ):
            raise InvalidInput(
                f"{self.name}: from_dense needs amplitudes of shape (batch, {expected}) and dtype {self.dtype}, got "
                f"{tuple(amplitudes.shape)} and {amplitudes.dtype}."
            )
        norm = squared_norm(amplitudes).sqrt()[:, None]
        if not bool((norm > 0).all() and torch.isfinite(norm).all()):
            raise InvalidInput(
                f"{self.name}: from_dense needs finite amplitudes with a norm above zero in every sample."
            )
        return self._from_dense(amplitudes / norm.to(self.real_dtype))

    def from_quimb(self, states: qtn.TensorNetwork | Sequence[qtn.TensorNetwork]) -> S:
        """Return the state of one quimb tensor network, or of a sequence of them as a batch (indices k0, k1, ...).

        Normalised, on the CPU. The mps takes networks that are chains (one tensor per qubit or per stretch of qubits,
        indices shared by neighbours alone) site by site, truncates and reports it; all else goes through all
        amplitudes, and is refused with NotEnoughMemory if these do not fit.
        """
        return self._from_networks(check_networks(self.name, states, self.n_qubits))

    def _from_networks(self, networks: list[qtn.TensorNetwork]) -> S:
        """By all amplitudes, which quimb holds in double precision before we do."""
        require_memory(
            self.name,
            f"the amplitudes of {self.n_qubits} qubits with batch {len(networks)}, from quimb,",
            len(networks) * 2**self.n_qubits * (2 * torch.complex128.itemsize + self.dtype.itemsize),
            torch.device("cpu"),
            "Use backend='mps' and a network of one tensor per qubit that shares indices with its neighbours alone.",
        )
        rows = [dense(network, self.n_qubits) for network in networks]
        return self.from_dense(torch.stack(rows).to(self.dtype))

    def _at_every_cut(self, state: S, of_values: Callable[[Tensor], Tensor]) -> Tensor:
        """A number for the Schmidt values at every cut, (batch, n_qubits - 1)."""
        found = [of_values(values) for values in self.schmidt_values(state)]
        return torch.stack(found, -1) if found else state.tensors[0].real.new_zeros(state.batch_size, 0)

    def _sandwich(self, bra: State, ket: State, paulis: str = "") -> Tensor:
        """<bra| P |ket> as one planned contraction, (batch,) in double precision.

        Between two dense states it is one sum of 2**n terms: the contraction stops at its partial sums over the last
        qubits (see `sums`).
        """
        tensors, labels = [], []
        for tensor, names in bra.network():
            tensors.append(tensor.conj())
            labels.append(tuple(name if name[0] in "bq" else f"bra.{name}" for name in names))
        for tensor, names in ket.network():
            tensors.append(tensor)
            labels.append(tuple(name if name[0] in "bq" else f"ket.{name}" for name in names))
        acted_on = {f"q{k}": letter.lower() for k, letter in enumerate(paulis) if letter != "I"}
        n_bra = len(bra.network())
        for k in range(n_bra, len(labels)):
            labels[k] = tuple(f"in.{name}" if name in acted_on else name for name in labels[k])
        for qubit, letter in acted_on.items():
            tensors.append(constant(letter, self.dtype, ket.device))
            labels.append((qubit, f"in.{qubit}"))
        dense = n_bra == len(ket.network()) == 1
        kept = [f"q{k}" for k in range(self.n_qubits - BLOCK_BITS)] if dense else []
        return total(self._planner.contract(labels, ("batch", *kept), tensors)[:, None])

    def _check_state(self, state: Any) -> None:
        ours = isinstance(state, self.state_type)
        if not ours or state.n_qubits != self.n_qubits or state.dtype != self.dtype or state.batch_size == 0:
            raise InvalidInput(
                f"{self.name}: needs a {self.name} state of {self.n_qubits} qubits in {self.dtype}, got "
                f"{_describe(state)}; start from initial_state() or convert with from_dense(to_dense())."
            )

    def _check_angles(self, state: S, angles: Tensor) -> None:
        require_tensor(self.name, "angles", angles)
        expected = (state.batch_size, self.n_angles)
        if tuple(angles.shape) != expected:
            raise InvalidInput(
                f"{self.name}: angles must have shape (batch, n_angles) = {expected}, got {tuple(angles.shape)}."
            )
        if angles.dtype != self.real_dtype:
            raise InvalidInput(
                f"{self.name}: a {self.dtype} backend needs angles in {self.real_dtype}, got {angles.dtype}; convert "
                "the angles or set dtype of the backend."
            )
        if angles.device != state.device:
            raise InvalidInput(
                f"{self.name}: the state is on {state.device} and the angles are on {angles.device}; move one of them "
                "with .to(device)."
            )
        # The sum first: it is a fifth of the full check's cost, which is felt at few qubits.
        if angles.device.type == "cpu" and not math.isfinite(float(angles.detach().sum())):
            self._refuse_infinite(angles)

    def _refuse_infinite(self, angles: Tensor) -> None:
        bad = int((~torch.isfinite(angles)).any(1).sum())
        if bad:  # a sum of huge angles can overflow, too
            raise InvalidInput(
                f"{self.name}: NaN or infinite angles in {bad} of {len(angles)} samples; lower the learning rate, clip "
                "the gradient, or check the inputs."
            )


def _describe(state: Any) -> str:
    if not isinstance(state, State):
        return f"a {type(state).__name__}"
    return f"a {type(state).__name__} of {state.n_qubits} qubits, batch {state.batch_size}, {state.dtype}"
