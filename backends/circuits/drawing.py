"""A circuit as text: one line per qubit, gates packed to the left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.circuits.gates import CONTROLLED

if TYPE_CHECKING:
    from backends.circuits.circuit import Circuit, Gate


def _labels(gate: Gate) -> dict[int, str]:
    """The text at each of the gate's qubits; angles are shown by their slots, e.g. RY[3]."""
    slots = f"[{','.join(map(str, gate.slots))}]" if gate.slots else ""
    if gate.name in CONTROLLED:
        control, target = gate.qubits
        return {control: "●", target: gate.name[1:].upper() + slots}
    if gate.name == "swap":
        return dict.fromkeys(gate.qubits, "x")
    name = "U" if gate.name == "unitary" else gate.name.upper()
    return {qubit: name + (slots if k == len(gate.qubits) - 1 else "") for k, qubit in enumerate(gate.qubits)}


def draw_circuit(circuit: Circuit) -> str:
    """Return the drawing; a vertical line joins the qubits of a gate, and RY[3] takes angle number 3."""
    columns: list[dict[int, str]] = []
    depth = [0] * circuit.n_qubits  # first free column of every qubit
    for gate in circuit.gates:
        low, high = min(gate.qubits), max(gate.qubits)
        column = max(depth[low : high + 1])
        if column == len(columns):
            columns.append({})
        columns[column] |= dict.fromkeys(range(low + 1, high), "│") | _labels(gate)
        depth[low : high + 1] = [column + 1] * (high - low + 1)
    widths = [max(map(len, column.values())) for column in columns]
    margin = len(str(circuit.n_qubits - 1)) + 1
    lines = []
    for qubit in range(circuit.n_qubits):
        cells = [column.get(qubit, "").center(width, "─") for column, width in zip(columns, widths, strict=True)]
        lines.append(f"q{qubit}".ljust(margin) + ": ─" + "─".join(cells) + "─")
    return "\n".join(lines)
