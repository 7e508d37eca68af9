"""`Ansatz`: the layered circuits of the field, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from backends.circuits.circuit import Circuit
from backends.circuits.gates import GATES
from backends.errors import InvalidInput, require_choice, require_positive_int

ONE_QUBIT_GATES = tuple(name for name, spec in GATES.items() if spec.n_qubits == 1)
TWO_QUBIT_GATES = tuple(name for name, spec in GATES.items() if spec.n_qubits == 2)

Bonds = list[tuple[int, int]]


def _chain(n_qubits: int) -> Bonds:
    return [(qubit, qubit + 1) for qubit in range(n_qubits - 1)]


def _ring(n_qubits: int) -> Bonds:
    return _chain(n_qubits) + ([(n_qubits - 1, 0)] if n_qubits > 1 else [])


def _brickwork(n_qubits: int) -> Bonds:
    chain = _chain(n_qubits)
    return chain[::2] + chain[1::2]


TOPOLOGIES: dict[str, Callable[[int], Bonds]] = {"chain": _chain, "ring": _ring, "brickwork": _brickwork}


@dataclass(frozen=True)
class Ansatz:
    """A layered circuit: per layer each rotation on every qubit, then the entangler on every bond of the topology.

    `rotations`: one-qubit gates in order, e.g. ("ry", "rz"). `entangler`: a two-qubit gate. `topology`: "chain" joins q
    to q + 1; "ring" also n - 1 to 0; "brickwork" joins the even bonds (0, 1), (2, 3), ... and then the odd ones.
    The default, RY and RZ and a ring of CRX, is our choice: arXiv:2510.25557 leaves its circuit open.
    Raises InvalidInput on unknown names and on sizes below 1.
    """

    n_qubits: int
    n_layers: int = 1
    rotations: Sequence[str] | str = ("ry", "rz")
    entangler: str = "crx"
    topology: str = "ring"

    def __post_init__(self) -> None:
        for size in ("n_qubits", "n_layers"):  # as Python's integers, whatever came
            object.__setattr__(self, size, require_positive_int("Ansatz", size, getattr(self, size)))
        # A list, as configuration files have it, would not hash; a single name is a sequence of one.
        rotations = (self.rotations,) if isinstance(self.rotations, str) else self.rotations
        if not isinstance(rotations, Sequence):
            raise InvalidInput(f"Ansatz: rotations must be a sequence of gate names, got {rotations!r}.")
        object.__setattr__(self, "rotations", tuple(rotations))
        for rotation in self.rotations:
            require_choice("Ansatz", "rotation", rotation, ONE_QUBIT_GATES)
        require_choice("Ansatz", "entangler", self.entangler, TWO_QUBIT_GATES)
        require_choice("Ansatz", "topology", self.topology, TOPOLOGIES)

    @cached_property
    def circuit(self) -> Circuit:
        """The circuit of one timestep."""
        circuit = Circuit(self.n_qubits)
        for _ in range(self.n_layers):
            for rotation in self.rotations:
                for qubit in range(self.n_qubits):
                    circuit.append(rotation, qubit)
            for bond in TOPOLOGIES[self.topology](self.n_qubits):
                circuit.append(self.entangler, *bond)
        return circuit


def circuit_of(who: str, ansatz: object) -> Circuit:
    """Return the circuit of an `Ansatz`, or a `Circuit` as it is; refuses anything else."""
    if not isinstance(ansatz, Ansatz | Circuit):
        raise InvalidInput(f"{who}: ansatz must be an Ansatz or a Circuit, got {type(ansatz).__name__}.")
    return ansatz.circuit if isinstance(ansatz, Ansatz) else ansatz
