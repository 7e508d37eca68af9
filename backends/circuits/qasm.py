"""A circuit as OpenQASM, for other programs.

Version 3 uses the gates of stdgates.inc, version 2 those of qelib1.inc as printed with the language (Cross and others,
arXiv:1707.03429); what these lack is defined in the text. Angles are written in full, so that reading them gives the
same number, and with a decimal point, which strict readers ask for. Global phases are not kept.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING

from torch import Tensor

from backends.errors import InvalidInput, require_choice

if TYPE_CHECKING:
    from backends.circuits.circuit import Circuit, Gate

_HEADERS = {
    3: 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{n}] q;',
    2: 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{n}];',
}
# Our names -> theirs, where they differ. U and u3 differ by a global phase at most.
_NAMES = {3: {"u3": "U"}, 2: {"p": "u1", "cp": "cu1"}}
# What the included files lack; qelib1.inc has rzz, rxx, crx, cry and swap in some programs only, so all have names of
# ours, which no program defines already.
_DEFINITIONS = {
    "rzz": "gate zz(a) s, t { cx s, t; rz(a) t; cx s, t; }",
    "rxx": "gate xx(a) s, t { h s; h t; cx s, t; rz(a) t; cx s, t; h s; h t; }",
    "ryy": ("gate yy(a) s, t { rx(pi/2) s; rx(pi/2) t; cx s, t; rz(a) t; cx s, t; rx(-pi/2) s; rx(-pi/2) t; }"),
}
_DEFINITIONS_OF_2 = {
    "swap": "gate exchange s, t { cx s, t; cx t, s; cx s, t; }",
    "crx": "gate control_x(a) s, t { h t; cx s, t; rz(-a/2) t; cx s, t; rz(a/2) t; h t; }",
    "cry": "gate control_y(a) s, t { ry(a/2) t; cx s, t; ry(-a/2) t; cx s, t; }",
}


def to_qasm(circuit: Circuit, angles: Tensor, version: int | str = 3) -> str:
    """Return `circuit` with the values of `angles` (n_angles,), in radians, for one sample and timestep.

    Raises:
        InvalidInput: The version is neither 2 nor 3, the angles are not those of one sample, or the circuit has a free
            unitary of two qubits.
    """
    version = int(require_choice("Circuit", "version of OpenQASM", str(version), map(str, _HEADERS)))
    values = one_sample("to_qasm", angles, circuit.n_angles)
    definitions = _DEFINITIONS if version == 3 else {**_DEFINITIONS, **_DEFINITIONS_OF_2}
    used = {gate.name for gate in circuit.gates} & definitions.keys()
    lines = [_HEADERS[version].format(n=circuit.n_qubits)]
    lines += [text for name, text in definitions.items() if name in used]
    names = {**_NAMES[version], **{name: text.split()[1].partition("(")[0] for name, text in definitions.items()}}
    for gate in circuit.gates:
        name, parameters = _call(gate, [values[slot] for slot in gate.slots])
        bound = f"({', '.join(map(_number, parameters))})" if parameters else ""
        lines.append(f"{names.get(name, name)}{bound} {', '.join(f'q[{qubit}]' for qubit in gate.qubits)};")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """The shortest text that reads as `value`, with a decimal point: `1.0e-05`."""
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")


def one_sample(who: str, angles: object, n_angles: int) -> list[float]:
    """Return the angles (n_angles,) of one sample as numbers; refuses anything else."""
    if not isinstance(angles, Tensor) or tuple(angles.shape) != (n_angles,):
        got = tuple(angles.shape) if isinstance(angles, Tensor) else type(angles).__name__
        raise InvalidInput(f"Circuit: {who} needs one sample's angles, shape ({n_angles},), got {got}.")
    values: list[float] = angles.detach().cpu().double().tolist()
    if not all(map(math.isfinite, values)):
        raise InvalidInput(f"Circuit: {who} needs finite angles; some are NaN or infinite.")
    return values


def _call(gate: Gate, parameters: list[float]) -> tuple[str, list[float]]:
    """Return the name of a gate and its parameters; a free unitary of one qubit becomes a u3."""
    if gate.matrix is None:
        return gate.name, parameters
    if len(gate.qubits) > 1:
        raise InvalidInput(
            f"Circuit: OpenQASM has no gate for the free unitary on qubits {gate.qubits}; decompose it into named "
            "gates first."
        )
    (a, b), (c, d) = gate.matrix.tolist()
    # Up to a phase: a = cos, b = -exp(i lambda) sin, c = exp(i phi) sin, d = exp(i (phi + lambda)) cos of theta / 2.
    theta = 2 * math.atan2(abs(c), abs(a))
    if abs(a) >= abs(c):  # phases are taken from entries that are not small
        phase, phi_plus_lambda = cmath.phase(a), cmath.phase(d) - cmath.phase(a)
        phi = cmath.phase(c) - phase if abs(c) > 0 else 0.0
        return "u3", [theta, phi, phi_plus_lambda - phi]
    phi_minus_lambda = cmath.phase(c) - cmath.phase(-b)
    phi = cmath.phase(c) - cmath.phase(a) if abs(a) > 0 else phi_minus_lambda
    return "u3", [theta, phi, phi - phi_minus_lambda]
