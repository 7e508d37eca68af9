"""Bad settings and bad input are refused with one sentence, before any computation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.backends.test_refusals import refused
from tnqrnn import QRNN, Ansatz, Circuit, create_backend

NAN = float("nan")


def qrnn(**arguments: Any) -> QRNN:
    return QRNN(**({"input_size": 2, "ansatz": Ansatz(3)} | arguments))


# Ansatz.


@pytest.mark.parametrize("what", ["n_qubits", "n_layers"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
def test_sizes_of_an_ansatz(what: str, value: object) -> None:
    refused(lambda: Ansatz(**({"n_qubits": 3} | {what: value})), "Ansatz", what, repr(value))


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        ({"topology": "brick"}, ("topology 'brick'", "Did you mean 'brickwork'?")),
        ({"topology": "star"}, ("topology 'star'", "chain, ring, brickwork")),
        ({"topology": None}, ("topology None",)),
        ({"entangler": "cnot"}, ("entangler 'cnot'",)),
        ({"entangler": "rx"}, ("entangler 'rx'", "Did you mean 'rxx'?")),
        ({"entangler": "unitary"}, ("entangler 'unitary'",)),
        ({"rotations": ("ry", "rq")}, ("rotation 'rq'", "Did you mean")),
        ({"rotations": "ry,rz"}, ("rotation 'ry,rz'",)),
        ({"rotations": ("cx",)}, ("rotation 'cx'",)),
        ({"rotations": (3,)}, ("rotation 3",)),
        ({"rotations": None}, ("rotations",)),
        ({"rotations": 3}, ("rotations",)),
    ],
)
def test_names_in_an_ansatz(arguments: dict[str, Any], mentions: tuple[str, ...]) -> None:
    refused(lambda: Ansatz(3, **arguments), "Ansatz", *mentions)


# Settings of a QRNN.


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
def test_sizes(value: object) -> None:
    refused(lambda: qrnn(input_size=value), "QRNN", "input_size", repr(value))
    refused(lambda: qrnn(controller_width=value), "QRNN", "controller_width", repr(value))
    if value is not None:  # which means: unknown
        refused(lambda: qrnn(sequence_length=value), "QRNN", "sequence_length", repr(value))


@pytest.mark.parametrize("value", [-0.1, 1, 1.0, 2, NAN, "0.1", None])
def test_dropout(value: object) -> None:
    refused(lambda: qrnn(dropout=value), "QRNN", "dropout", "[0, 1)", repr(value))


@pytest.mark.parametrize("value", [0, 0.0, -1, NAN, float("inf"), "small"])
def test_angle_scale(value: object) -> None:
    refused(lambda: qrnn(angle_scale=value), "QRNN", "angle_scale", repr(value))


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        ({"controller": "gluu"}, ("controller 'gluu'", "Did you mean 'glu'?")),
        ({"controller": None}, ("controller None",)),
        ({"ansatz": "ring"}, ("Ansatz or a Circuit", "str")),
        ({"ansatz": 4}, ("Ansatz or a Circuit", "int")),
        ({"ansatz": Circuit(3).h(0).cx(0, 1)}, ("no parametrised gate",)),
        ({"ansatz": Circuit(3)}, ("no parametrised gate",)),
        ({"backend": "mpss"}, ("backend 'mpss'", "Did you mean 'mps'?")),
        ({"backend": None}, ("backend None",)),
        ({"backend": "mps", "backend_options": {"maxbond": 3}}, ("'maxbond'", "Did you mean 'max_bond'?")),
        ({"backend": "mps", "backend_options": {"max_bond": 0}}, ("max_bond", "at least 1")),
        ({"backend_options": {"max_bond": 4}}, ("'max_bond'", "statevector")),
        ({"backend_options": {"dtype": "complex64"}}, ("dtype", "torch.complex64")),
        ({"backend_options": {"dtype": torch.float32}}, ("dtype", "torch.complex64")),
        ({"backend_options": "max_bond"}, ("backend_options",)),
        ({"backend_options": ["max_bond"]}, ("backend_options",)),
        ({"backend_options": {1: 2}}, ("1",)),
    ],
)
def test_settings(arguments: dict[str, Any], mentions: tuple[str, ...]) -> None:
    refused(lambda: qrnn(**arguments), *mentions)


# What a QRNN is called with.


@pytest.fixture
def x() -> torch.Tensor:
    return torch.zeros(2, 4, 2)


@pytest.mark.parametrize(
    ("change", "mentions"),
    [
        (lambda x: x[0], ("(4, 2)",)),
        (lambda x: x[..., :1], ("input_size=2", "(2, 4, 1)")),
        (lambda x: x[:, :0], ("empty", "(2, 0, 2)")),
        (lambda x: x[:0], ("empty", "(0, 4, 2)")),
        (lambda x: x.double(), ("torch.float64", "torch.float32")),
        (lambda x: x.int(), ("torch.int32",)),
        (lambda x: x.to("meta"), ("meta", "cpu")),
        (lambda x: x + NAN, ("NaN",)),
        (lambda x: x + float("inf"), ("infinite",)),
        (lambda x: x.numpy(), ("ndarray",)),
        (lambda x: None, ("NoneType",)),
    ],
)
def test_inputs(x: torch.Tensor, change: Callable[[torch.Tensor], Any], mentions: tuple[str, ...]) -> None:
    refused(lambda: qrnn()(change(x)), "QRNN", *mentions)


@pytest.mark.parametrize(
    "lengths",
    [
        torch.tensor([0, 2]),
        torch.tensor([1, 5]),
        torch.tensor([-1, 2]),
        torch.tensor([1]),
        torch.tensor([1, 2, 3]),
        torch.tensor([[1, 2]]),
        torch.tensor(2),
        torch.tensor([1.0, 2.0]),
        torch.tensor([1 + 0j, 2]),
        torch.tensor([True, True]),
        [1, 2],
        2,
        "all",
    ],
    ids=str,
)
def test_lengths(x: torch.Tensor, lengths: Any) -> None:
    refused(lambda: qrnn()(x, lengths=lengths), "QRNN", "lengths")


def test_states(x: torch.Tensor) -> None:
    model = qrnn()
    circuit = Ansatz(3).circuit
    refused(lambda: model(x, model.backend.initial_state(3)), "QRNN", "batch 2", "batch 3")
    refused(lambda: model(x, create_backend("mps", circuit).initial_state(2)), "statevector", "MPSState")
    double = create_backend("statevector", circuit, dtype=torch.complex128)
    refused(lambda: model(x, double.initial_state(2)), "complex64", "complex128")
    larger = create_backend("statevector", Ansatz(4).circuit)
    refused(lambda: model(x, larger.initial_state(2)), "3 qubits", "4 qubits")
    for state in ((torch.zeros(2), torch.zeros(2)), torch.zeros(2, 8), 0):
        refused(lambda state=state: model(x, state), "state")  # type: ignore[misc]


def test_a_diverged_model_says_so(x: torch.Tensor) -> None:
    model = qrnn()
    with torch.no_grad():
        model.cell.controller.output.weight.fill_(NAN)
    refused(lambda: model(x), "NaN or infinite angles in 2 of 2 samples", "learning rate")


def test_a_state_that_cannot_fit() -> None:
    model = qrnn(ansatz=Ansatz(40))
    refused(lambda: model(torch.zeros(1, 1, 2)), "40 qubits", "are free", "mps")
