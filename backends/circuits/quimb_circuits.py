"""quimb's circuits as ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from backends.circuits.gates import CONTROLLED, GATES
from backends.errors import InvalidInput

if TYPE_CHECKING:
    import quimb.tensor as qtn

    from backends.circuits.circuit import Circuit

# quimb's names -> ours, where lower case is not enough.
_NAMES = {"CPHASE": "cp", "CU1": "cp", "PHASE": "p", "U1": "p", "CNOT": "cx"}
_WITH_CONTROL = {target: name for name, target in CONTROLLED.items()}


def append_gates(ours: Circuit, theirs: qtn.Circuit) -> list[float]:
    """Append the gates of quimb's circuit to `ours` and return their angles, in radians.

    Raises InvalidInput on a gate that acts on more than two qubits, its controls included, or is not unitary.
    """
    angles = list[float]()
    for gate, qubits in _on_logical_qubits(theirs):
        label, controls = str(gate.label), tuple(int(qubit) for qubit in gate.controls or ())
        name = _NAMES.get(label, label.lower())
        if controls and len(qubits) == 1:
            name = _WITH_CONTROL.get(name, "")
        on = (*controls, *qubits)
        if len(on) not in (1, 2):
            raise InvalidInput(
                f"Circuit: quimb's gate {label} on {on} has no counterpart; decompose it into gates on one or two "
                "qubits first, controls included."
            )
        if name in GATES and GATES[name].n_qubits == len(on):
            ours.append(name, *on)
            angles += [float(value) for value in gate.params]
        else:
            ours.unitary(_matrix(gate, len(qubits), len(controls)), *on)
    return angles


def _on_logical_qubits(theirs: qtn.Circuit) -> Iterable[tuple[Any, tuple[int, ...]]]:
    """The gates with the qubits that the user named: a CircuitPermMPS keeps the sites where these were at the time."""
    import quimb.tensor as qtn

    if not isinstance(theirs, qtn.CircuitPermMPS):
        return ((gate, tuple(int(qubit) for qubit in gate.qubits)) for gate in theirs.gates)
    return _replayed(theirs)


def _replayed(theirs: qtn.CircuitPermMPS) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Move the qubits as quimb did: a gate on two sites brings the right one beside the left one, and leaves it there.

    Refuses a circuit whose qubits do not end up where quimb says they are.
    """
    order, found = list(range(theirs.N)), []
    for gate in theirs.gates:
        sites = [int(site) for site in gate.qubits]
        found.append((gate, tuple(order[site] for site in sites)))
        if len(sites) == 2:
            left, right = sorted(sites)
            order.insert(left + 1, order.pop(right))
    if order != list(theirs.qubits) or any(gate.controls for gate, _ in found):
        raise InvalidInput(
            "Circuit: this CircuitPermMPS does not tell which qubits its gates act on (its order of qubits is not what "
            "its gates lead to, or it has gates with controls); give from_quimb a qtn.Circuit with the same gates."
        )
    yield from found


def _matrix(gate: Any, n_qubits: int, n_controls: int) -> Tensor:
    """The matrix (d, d) of quimb's gate, its controls first."""
    try:
        array = gate.array
        array = array.data if hasattr(array, "params") else array  # of a gate applied with parametrize=True
        array = array.detach().cpu().resolve_conj() if isinstance(array, Tensor) else array
        matrix = torch.tensor(np.asarray(array).reshape(2**n_qubits, 2**n_qubits), dtype=torch.complex128)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"Circuit: quimb's gate {gate.label} has no matrix on {n_qubits} qubit(s); replace it by named gates."
        ) from error
    untouched = torch.eye(2 ** (n_qubits + n_controls) - len(matrix), dtype=matrix.dtype)
    with_controls: Tensor = torch.block_diag(untouched, matrix)  # at work where every control is 1: the last rows
    return with_controls
