"""OpenQASM text does what the circuit does: read by a few lines here for the dense oracle, and version 2 by quimb."""

from __future__ import annotations

import re
from math import pi

import pytest
import quimb.tensor as qtn
import torch
from torch import Tensor

from backends.circuits.circuit import Circuit
from backends.circuits.gates import GATES
from backends.errors import InvalidInput
from tests import oracle
from tests.backends.cases import gate_tuples

ROUNDING = 1e-10
# Standard gates under the names of the included files; the standard says what they do.
STANDARD = {"U": "u3", "u1": "p", "cu1": "cp"}
CALL = re.compile(r"(\w+)\s*(?:\((.*)\))?\s+(.*)")


def every_gate() -> Circuit:
    """Return a circuit with every gate of the set, in both orders of the qubits, and free unitaries of one qubit."""
    circuit = Circuit(3)
    for name, spec in GATES.items():
        for qubits in [(0,), (2,)] if spec.n_qubits == 1 else [(0, 2), (2, 1)]:
            circuit.append(name, *qubits)
            circuit.h(1)
    for matrix in ([[1, 0], [0, 1j]], [[0, 1j], [1, 0]], [[0.6, 0.8j], [0.8j, 0.6]], [[-0.28, 0.96], [0.96j, 0.28j]]):
        circuit.unitary(torch.tensor(matrix, dtype=torch.complex128), 0).h(0)
    return circuit


def angles_of(circuit: Circuit) -> Tensor:
    return torch.rand(circuit.n_angles, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 8 - 4


def state_of(text: str, n_qubits: int) -> Tensor:
    """Return the amplitudes (2**n,) that a text prepares from |0...0>."""
    definitions, gates, angles = {}, list[oracle.GateTuple](), list[float]()
    for name, parameter, qubits, body in re.findall(r"gate (\w+)(?:\((\w+)\))? ([\w, ]+) \{ (.*) \}", text):
        definitions[name] = (parameter, qubits.split(", "), body.split("; "))

    def call(statement: str, values: dict[str, float], places: dict[str, int]) -> None:
        name, parameters, operands = CALL.fullmatch(statement.strip(" ;")).groups()  # type: ignore[union-attr]
        given = [float(eval(p, {"pi": pi}, values)) for p in parameters.split(", ")] if parameters else []
        qubits = [places[operand] for operand in operands.split(", ")]
        if name in definitions:
            parameter, names, body = definitions[name]
            for inner in body:
                call(inner, {parameter: given[0]} if parameter else {}, dict(zip(names, qubits, strict=True)))
            return
        gates.append((STANDARD.get(name, name), tuple(qubits)))
        angles.extend(given)

    for line in re.sub(r"gate .*\}", "", text).splitlines()[3:]:
        if line:
            call(line, {}, {f"q[{qubit}]": qubit for qubit in range(n_qubits)})
    values = torch.tensor([angles], dtype=torch.float64)
    return oracle.evolve(gates, oracle.zero_state(n_qubits, 1), values)[0]


def differ(a: Tensor, b: Tensor) -> float:
    """Return 1 - |<a|b>|^2."""
    return abs(1 - float(torch.vdot(a, b).abs() ** 2))


def expected(circuit: Circuit, angles: Tensor) -> Tensor:
    return oracle.evolve(gate_tuples(circuit), oracle.zero_state(circuit.n_qubits, 1), angles[None])[0]


@pytest.mark.parametrize("version", [2, 3])
def test_the_text_does_what_the_circuit_does(version: int) -> None:
    circuit = every_gate()
    text = circuit.to_qasm(angles_of(circuit), version)
    assert text.startswith(f"OPENQASM {version}.0;\n")
    assert differ(state_of(text, 3), expected(circuit, angles_of(circuit))) <= ROUNDING


@pytest.mark.filterwarnings("ignore:Couldn't import `kahypar`")  # an optional graph partitioner of cotengra
def test_quimb_reads_version_2() -> None:
    circuit = every_gate()
    theirs = qtn.Circuit.from_openqasm2_str(circuit.to_qasm(angles_of(circuit), version=2))
    assert differ(torch.tensor(theirs.to_dense().reshape(-1)), expected(circuit, angles_of(circuit))) <= ROUNDING


# The gates of both files as they are printed with the languages: qelib1.inc in arXiv:1707.03429, stdgates.inc in
# arXiv:2104.14722, with the two of the languages themselves.
INCLUDED = {
    2: "u3 u2 u1 cx id x y z h s sdg t tdg rx ry rz cz cy ch ccx crz cu1 cu3 U CX",
    3: "p x y z h s sdg t tdg sx rx ry rz cx cy cz cp crx cry crz ch swap ccx cswap cu CX phase cphase id u1 u2 u3 U",
}
IN_SOME_PROGRAMS = ("rxx", "ryy", "rzz", "crx", "cry", "swap")  # in their qelib1.inc: not to be defined again
# A real number of OpenQASM 2: a point with digits before or after it, then an exponent if there is one.
REAL = re.compile(r"-?(\d+\.\d*|\d*\.\d+)([eE][-+]?\d+)?")


def used_gates(statements: str) -> list[str]:
    return [re.split(r"[\s(]", statement.strip())[0] for statement in statements.split(";") if statement.strip()]


@pytest.mark.parametrize("version", [2, 3])
def test_every_gate_is_included_or_defined_before_its_use(version: int) -> None:
    known = set(INCLUDED[version].split())
    lines = every_gate().to_qasm(angles_of(every_gate()), version).splitlines()[3:]
    for line in lines:
        defined = re.fullmatch(r"gate (\w+)[^{]*\{(.*)\}", line)
        missing = set(used_gates(defined[2] if defined else line)) - known
        assert not missing
        if defined:
            assert defined[1] not in IN_SOME_PROGRAMS
            known.add(defined[1])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("angle", [0.0, -0.0, 1.0, 1e-5, -1e-5, 1e-300, 5e-324, 1e16, -1e22, 0.1 + 0.2, 123456789.125])
def test_numbers_have_a_point_and_are_read_back_the_same(angle: float, version: int) -> None:
    text = Circuit(1).u3(0).to_qasm(torch.tensor([angle, 0.5, -angle], dtype=torch.float64), version)
    numbers = re.search(r"\((.*)\) q\[0\]", text)[1].split(", ")  # type: ignore[index]
    assert all(REAL.fullmatch(number) for number in numbers)
    assert str([float(number) for number in numbers]) == str([angle, 0.5, -angle])  # the sign of a zero, too


@pytest.mark.parametrize("version", [2, 3])
def test_a_version_may_be_a_text(version: int) -> None:
    circuit = Circuit(2).swap(0, 1)
    assert circuit.to_qasm(torch.zeros(0), str(version)) == circuit.to_qasm(torch.zeros(0), version)


def test_a_small_text() -> None:
    text = Circuit(2).h(0).ry(1).rzz(0, 1).to_qasm(torch.tensor([0.5, -0.25]))
    assert text == (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'
        "gate zz(a) s, t { cx s, t; rz(a) t; cx s, t; }\n"
        "h q[0];\nry(0.5) q[1];\nzz(-0.25) q[0], q[1];\n"
    )


@pytest.mark.parametrize(
    ("angles", "told"),
    [
        (torch.zeros(3), r"shape \(2,\), got \(3,\)"),
        ([0.0, 0.0], "got list"),
        (torch.tensor([0.0, float("nan")]), "finite"),
    ],
)
def test_angles_that_are_not_those_of_one_sample_are_refused(angles: Tensor, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Circuit(2).ry(0).rz(1).to_qasm(angles)


def test_what_has_no_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"free unitary on qubits \(0, 1\)"):
        Circuit(2).unitary(torch.eye(4), 0, 1).to_qasm(torch.zeros(0))
    for version in (4, "4", 2.0, None, True, [3], "three"):
        with pytest.raises(InvalidInput, match=r"version of OpenQASM .* Choose one of: 3, 2\."):
            Circuit(2).to_qasm(torch.zeros(0), version=version)  # type: ignore[arg-type]
