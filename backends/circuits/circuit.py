"""`Circuit`: the gates of one timestep in order, each parametrised gate taking the next angles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from backends.circuits.gates import GATES
from backends.circuits.qasm import one_sample, to_qasm
from backends.circuits.quimb_circuits import append_gates
from backends.errors import InvalidInput, as_integer, nearest, require_choice, require_positive_int

if TYPE_CHECKING:
    import quimb.tensor as qtn

# Of the qubits and of the gates of one timestep: the plans of both backends walk them one by one.
MOST_GATES = 100_000
_UNITARY_TOLERANCE = 1e-5

# Our names -> quimb's, where upper case is not enough.
_QUIMB_NAMES = {"cp": "CPHASE", "p": "PHASE"}


class UnknownGate(InvalidInput, AttributeError):
    """A gate that is not in the gate set; an AttributeError too, so that `hasattr` keeps working."""


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate: its name, its qubits, the slots of its angles in the angle vector, and its matrix if it is free."""

    name: str
    qubits: tuple[int, ...]
    slots: tuple[int, ...] = ()
    matrix: Tensor | None = None


class Circuit:
    """A parametrised circuit on `n_qubits` qubits, built by calling gates by name: `Circuit(3).h(0).crx(0, 2)`.

    Every call validates its qubits and returns the circuit. A parametrised gate takes the next angle of the vector
    (`u3` the next three: theta, phi, lambda). Qubit 0 is the most significant bit of a basis state.
    """

    def __init__(self, n_qubits: int) -> None:
        self.n_qubits = require_positive_int("Circuit", "n_qubits", n_qubits)
        if n_qubits > MOST_GATES:
            raise InvalidInput(f"Circuit: n_qubits must be at most {MOST_GATES}, got {n_qubits}; use fewer qubits.")
        self._gates: list[Gate] = []
        self._n_angles = 0

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates in the order in which they act."""
        return tuple(self._gates)

    @property
    def n_angles(self) -> int:
        """Length of the angle vector, in angles (radians) per sample and timestep."""
        return self._n_angles

    def append(self, name: str, *qubits: int) -> Circuit:
        """Append the gate called `name` on `qubits`; raises InvalidInput on an unknown gate or unusable qubits."""
        spec = GATES[require_choice("Circuit", "gate", name, GATES)]
        qubits = self._checked_qubits(name, qubits, spec.n_qubits)
        slots = tuple(range(self._n_angles, self._n_angles + spec.n_angles))
        self._n_angles += spec.n_angles
        self._add(Gate(name, qubits, slots))
        return self

    def unitary(self, matrix: Any, *qubits: int) -> Circuit:
        """Append a fixed unitary: `matrix` (2, 2) on one qubit or (4, 4) on two, first qubit most significant.

        A matrix that is unitary to 1e-5, as one in single precision is, is replaced by the nearest unitary.
        """
        if len(qubits) not in (1, 2):
            raise InvalidInput(f"Circuit: unitary acts on 1 or 2 qubits, got {len(qubits)}.")
        qubits = self._checked_qubits("unitary", qubits, len(qubits))
        try:
            # Numbers of Python's in double precision: left to itself, torch takes them in single.
            fixed = torch.as_tensor(matrix, dtype=torch.complex128).detach().cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise InvalidInput(f"Circuit: unitary needs a matrix of numbers, got {type(matrix).__name__}.") from error
        size = 2 ** len(qubits)
        if fixed.shape != (size, size):
            raise InvalidInput(
                f"Circuit: unitary on {len(qubits)} qubit(s) needs a {size} x {size} matrix, got {tuple(fixed.shape)}."
            )
        if not torch.allclose(fixed @ fixed.mH, torch.eye(size, dtype=fixed.dtype), atol=_UNITARY_TOLERANCE):
            raise InvalidInput(
                f"Circuit: the matrix given to unitary{qubits} is not unitary to {_UNITARY_TOLERANCE:g}; "
                "check it, or normalise it with a QR decomposition."
            )
        # The polar factor. What is not unitary would grow with the timesteps, and engines would differ in how.
        left, _, right = torch.linalg.svd(fixed)
        self._add(Gate("unitary", qubits, matrix=left @ right))
        return self

    def _add(self, gate: Gate) -> None:
        if len(self._gates) == MOST_GATES:
            raise InvalidInput(
                f"Circuit: a timestep has more than {MOST_GATES} gates on {self.n_qubits} qubits; use fewer qubits or "
                "layers."
            )
        self._gates.append(gate)

    def _checked_qubits(self, name: str, qubits: tuple[int, ...], expected: int) -> tuple[int, ...]:
        """The qubits as Python's integers; refuses what no gate of this name can act on."""
        if len(qubits) != expected:
            raise InvalidInput(f"Circuit: gate {name} acts on {expected} qubit(s), got {len(qubits)}: {qubits}.")
        integers = []
        for qubit in qubits:
            integer = as_integer(qubit)
            if integer is None or not 0 <= integer < self.n_qubits:
                raise InvalidInput(
                    f"Circuit: gate {name} on qubit {qubit!r}, but this circuit has qubits 0 to {self.n_qubits - 1}."
                )
            integers.append(integer)
        if len(set(integers)) != len(integers):
            raise InvalidInput(f"Circuit: gate {name} needs different qubits, got {tuple(integers)}.")
        return tuple(integers)

    # The gate set, spelled out so that editors and type checkers know it.

    def h(self, qubit: int) -> Circuit:
        """Append a Hadamard gate."""
        return self.append("h", qubit)

    def x(self, qubit: int) -> Circuit:
        """Append a Pauli X."""
        return self.append("x", qubit)

    def y(self, qubit: int) -> Circuit:
        """Append a Pauli Y."""
        return self.append("y", qubit)

    def z(self, qubit: int) -> Circuit:
        """Append a Pauli Z."""
        return self.append("z", qubit)

    def s(self, qubit: int) -> Circuit:
        """Append diag(1, i)."""
        return self.append("s", qubit)

    def sdg(self, qubit: int) -> Circuit:
        """Append diag(1, -i)."""
        return self.append("sdg", qubit)

    def t(self, qubit: int) -> Circuit:
        """Append diag(1, exp(i pi / 4))."""
        return self.append("t", qubit)

    def tdg(self, qubit: int) -> Circuit:
        """Append diag(1, exp(-i pi / 4))."""
        return self.append("tdg", qubit)

    def rx(self, qubit: int) -> Circuit:
        """Append exp(-i a X / 2), taking the next angle a."""
        return self.append("rx", qubit)

    def ry(self, qubit: int) -> Circuit:
        """Append exp(-i a Y / 2), taking the next angle a."""
        return self.append("ry", qubit)

    def rz(self, qubit: int) -> Circuit:
        """Append exp(-i a Z / 2), taking the next angle a."""
        return self.append("rz", qubit)

    def p(self, qubit: int) -> Circuit:
        """Append diag(1, exp(i a)), taking the next angle a."""
        return self.append("p", qubit)

    def u3(self, qubit: int) -> Circuit:
        """Append a general rotation, taking the next three angles theta, phi, lambda."""
        return self.append("u3", qubit)

    def cx(self, control: int, target: int) -> Circuit:
        """Append a controlled X."""
        return self.append("cx", control, target)

    def cy(self, control: int, target: int) -> Circuit:
        """Append a controlled Y."""
        return self.append("cy", control, target)

    def cz(self, control: int, target: int) -> Circuit:
        """Append a controlled Z."""
        return self.append("cz", control, target)

    def swap(self, first: int, second: int) -> Circuit:
        """Append an exchange of two qubits."""
        return self.append("swap", first, second)

    def crx(self, control: int, target: int) -> Circuit:
        """Append a controlled RX, taking the next angle."""
        return self.append("crx", control, target)

    def cry(self, control: int, target: int) -> Circuit:
        """Append a controlled RY, taking the next angle."""
        return self.append("cry", control, target)

    def crz(self, control: int, target: int) -> Circuit:
        """Append a controlled RZ, taking the next angle."""
        return self.append("crz", control, target)

    def cp(self, control: int, target: int) -> Circuit:
        """Append a controlled phase diag(1, 1, 1, exp(i a)), taking the next angle a."""
        return self.append("cp", control, target)

    def rxx(self, first: int, second: int) -> Circuit:
        """Append exp(-i a X(x)X / 2), taking the next angle a."""
        return self.append("rxx", first, second)

    def ryy(self, first: int, second: int) -> Circuit:
        """Append exp(-i a Y(x)Y / 2), taking the next angle a."""
        return self.append("ryy", first, second)

    def rzz(self, first: int, second: int) -> Circuit:
        """Append exp(-i a Z(x)Z / 2), taking the next angle a."""
        return self.append("rzz", first, second)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        names = [*GATES, "unitary", "append", "gates", "n_angles", "n_qubits"]
        raise UnknownGate(f"Circuit: unknown gate {name!r}.{nearest(name, names)} The gates are: {', '.join(GATES)}.")

    def __len__(self) -> int:
        return len(self._gates)

    def __repr__(self) -> str:
        return f"Circuit(n_qubits={self.n_qubits}, gates={len(self)}, n_angles={self.n_angles})"

    def __str__(self) -> str:
        from backends.circuits.drawing import draw_circuit

        return draw_circuit(self)

    def to_quimb(self, angles: Tensor) -> qtn.Circuit:
        """Return a quimb circuit with the values of `angles` (n_angles,) filled in, for one sample."""
        import quimb.tensor as qtn

        values = one_sample("to_quimb", angles, self.n_angles)
        converted = qtn.Circuit(self.n_qubits)
        for gate in self._gates:
            if gate.matrix is not None:
                converted.apply_gate_raw(gate.matrix.numpy(), gate.qubits)
            else:
                name = _QUIMB_NAMES.get(gate.name, gate.name.upper())
                converted.apply_gate(name, *[values[slot] for slot in gate.slots], *gate.qubits)
        return converted

    def to_qasm(self, angles: Tensor, version: int | str = 3) -> str:
        """Return OpenQASM 3 (or 2) text with the values of `angles` (n_angles,) filled in, for one sample."""
        return to_qasm(self, angles, version)

    @classmethod
    def from_quimb(cls, circuit: qtn.Circuit) -> tuple[Circuit, Tensor]:
        """Return a circuit and its angles (n_angles,) in float64 that act as the given quimb circuit does.

        Gates that are not in our gate set become `unitary` if they act on one or two qubits, controls included, and are
        refused otherwise. A state that quimb's circuit started from is not taken along.
        """
        if not hasattr(circuit, "gates") or not hasattr(circuit, "N"):
            raise InvalidInput(f"Circuit: from_quimb needs a quimb circuit, got a {type(circuit).__name__}.")
        converted = cls(circuit.N)
        return converted, torch.tensor(append_gates(converted, circuit), dtype=torch.float64)


def check_pauli_strings(who: str, paulis: str | Iterable[str], n_qubits: int) -> list[str]:
    """Return the Pauli strings as a list after checking their letters and lengths."""
    strings = [paulis] if isinstance(paulis, str) or not isinstance(paulis, Iterable) else list(paulis)
    for string in strings or [""]:
        if not isinstance(string, str) or len(string) != n_qubits or set(string) - set("IXYZ"):
            raise InvalidInput(
                f"{who}: Pauli string {string!r} must have one of the letters I, X, Y, Z for each of the "
                f"{n_qubits} qubits, qubit 0 first."
            )
    return strings
