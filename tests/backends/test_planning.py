"""Contraction plans: right, sliced to a budget, kept on disk, and legible."""

from __future__ import annotations

import math
import string
from pathlib import Path

import autoray
import cotengra
import pytest
import torch

import backends.path_search
from backends import Circuit, ContractionPlanner, InvalidInput, create_backend
from backends.planning import EFFORTS, Labels
from tests.backends.cases import EXACT, FITTING, ansatz_circuit, random_angles, run

# Name: labels of the tensors, labels of the result. "batch" is shared by tensors and result, as in the backends.
NETWORKS: dict[str, tuple[list[Labels], Labels]] = {
    "one tensor": ([("a", "b")], ("b",)),
    "two": ([("a", "b"), ("b", "c")], ("a", "c")),
    "chain": ([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], ("a", "e")),
    "batched chain": ([("batch", "a", "b"), ("batch", "b", "c"), ("batch", "c", "d")], ("batch", "a", "d")),
    "partly batched": ([("batch", "a", "b"), ("b", "c"), ("batch", "c", "d"), ("d",)], ("a", "batch")),
    "loop to a number": ([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")], ()),
    "outer product": ([("batch", "a"), ("b",), ("batch", "c")], ("batch", "c", "b", "a")),
    "axes of length one": ([("one", "a"), ("one",), ("more", "b", "a"), ()], ("more", "b", "one")),
    "numbers": ([("one",), (), ("one", "more")], ("more",)),
    "one number": ([("one",)], ()),
    "hyperedge": ([("batch", "x", "a"), ("batch", "x", "b"), ("batch", "x", "c")], ("batch", "a", "b", "c")),
    "norm of a chain": (
        [("batch", "p", "l"), ("batch", "l", "q", "m"), ("batch", "m", "r"),
         ("batch", "p", "L"), ("batch", "L", "q", "M"), ("batch", "M", "r")],
        ("batch",),
    ),
}  # fmt: skip
SIZES = {"one": 1, "more": 1, "batch": 5, "a": 2, "b": 3, "c": 4, "d": 3, "e": 2, "x": 3}


def tensors(inputs: list[Labels]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn([SIZES.get(label, 2) for label in labels], dtype=torch.complex128, generator=generator)
        for labels in inputs
    ]


def einsum(inputs: list[Labels], output: Labels, operands: list[torch.Tensor]) -> torch.Tensor:
    names: dict[str, str] = {}
    for label in (label for labels in inputs for label in labels):
        names.setdefault(label, string.ascii_letters[len(names)])
    terms = ["".join(names[label] for label in labels) for labels in (*inputs, output)]
    return torch.einsum(f"{','.join(terms[:-1])}->{terms[-1]}", *operands)


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with no plan in memory, as a new process does."""
    backends.path_search.find_plan.cache_clear()


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("max_elements", [None, 12, 1])
def test_the_result_is_that_of_einsum(name: str, effort: str, max_elements: int | None) -> None:
    inputs, output = NETWORKS[name]
    operands = [operand.requires_grad_() for operand in tensors(inputs)]
    planner = ContractionPlanner(effort=effort, cache_dir=None, max_elements=max_elements)
    found, expected = planner.contract(inputs, output, operands), einsum(inputs, output, operands)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    found_gradients, expected_gradients = (
        torch.autograd.grad((result * result.conj()).real.sum(), operands) for result in (found, expected)
    )
    torch.testing.assert_close(found_gradients, expected_gradients, rtol=0, atol=1e-11)


@pytest.mark.parametrize("max_elements", [4, 16, 64, 10**6])
def test_slicing_respects_its_limit(max_elements: int) -> None:
    inputs, output = NETWORKS["norm of a chain"]
    shapes = [tuple(operand.shape) for operand in tensors(inputs)]
    plan = ContractionPlanner(cache_dir=None, max_elements=max_elements).plan(inputs, output, shapes)
    whole = ContractionPlanner(cache_dir=None).plan(inputs, output, shapes)
    assert plan.largest_intermediate <= max_elements
    assert (plan.n_slices > 1) == (whole.largest_intermediate > max_elements)


def test_backends_take_a_planner_that_slices() -> None:
    circuit = ansatz_circuit("ring", n_qubits=6)
    angles = random_angles(circuit, 1, batch=2)
    for setting in (EXACT[1], FITTING):
        backend = setting.create(circuit)
        options = {**setting.options, "planner": ContractionPlanner(cache_dir=None, max_elements=64)}
        sliced = type(setting)(setting.name, options).create(circuit)
        torch.testing.assert_close(run(sliced, angles)[1], run(backend, angles)[1], rtol=0, atol=1e-12)


def test_a_search_beats_the_order_given() -> None:
    """A long chain given from both ends towards the middle: the order given multiplies outer products."""
    inputs: list[Labels] = [("a", "b"), ("e", "f"), ("b", "c"), ("d", "e"), ("c", "d")]
    shapes = [(20, 20)] * 5
    costs = {
        effort: ContractionPlanner(effort=effort, cache_dir=None).plan(inputs, ("a", "f"), shapes) for effort in EFFORTS
    }
    assert costs["order"].multiply_adds == costs["order"].order_multiply_adds
    assert costs["greedy"].multiply_adds == costs["hyper"].multiply_adds == 4 * 20**3
    assert costs["order"].multiply_adds >= 20**4


def test_a_plan_can_be_read() -> None:
    plan = ContractionPlanner(cache_dir=None).plan([("i", "j"), ("j", "k"), ("k", "l")], ("i", "l"), [(10, 10)] * 3)
    text = str(plan)
    assert plan.multiply_adds == 2000
    assert plan.largest_intermediate == 100
    for line in ("multiply-adds         2.000e+03", "largest intermediate  1.000e+02", "slices                1"):
        assert line in text


def test_the_plan_of_a_step_can_be_read() -> None:
    backend = EXACT[1].create(ansatz_circuit("ring"))
    assert "largest intermediate" in str(backend.contraction_plan(4))  # type: ignore[attr-defined]


def test_another_librarys_contractions_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """autoray 0.8.2 to 0.8.4 answer each name of a library with the one asked for first: then numpy's got our tensors.

    Nor may ours come first and take the arrays of others, so it is not asked at all.
    """
    asked = []

    def numpys_namespace(library: str) -> object:
        asked.append(library)
        return autoray.get_namespace("numpy")

    monkeypatch.setattr(cotengra.contract, "get_namespace", numpys_namespace, raising=False)
    for max_elements in (None, 12):
        inputs, output = NETWORKS["norm of a chain"]
        operands = tensors(inputs)
        found = ContractionPlanner(cache_dir=None, max_elements=max_elements).contract(inputs, output, operands)
        torch.testing.assert_close(found, einsum(inputs, output, operands), rtol=0, atol=1e-12)
    assert not asked


# More than a float holds.


@pytest.mark.parametrize("effort", ["order", "greedy"])
def test_a_plan_of_more_than_a_float_holds_can_be_read(effort: str) -> None:
    """60 vectors of 2**20 numbers and then their partners: the order given builds 2**1200, a float ends at 2**1024."""
    inputs: list[Labels] = [(f"k{k}",) for k in range(60)] * 2
    plan = ContractionPlanner(effort=effort, cache_dir=None).plan(inputs, (), [(2**20,)] * 120)
    # Outer products of 2**40, 2**60, ... 2**1200 numbers, then as many multiply-adds downwards, to the last of 2**20.
    assert plan.order_multiply_adds == 2 * sum(2 ** (20 * k) for k in range(1, 61)) - 2**20
    assert plan.multiply_adds == (plan.order_multiply_adds if effort == "order" else 60 * 2**20 + 59)
    assert ("e+361" in str(plan)) == (effort == "order")  # 2**1200 = 1.7e+361


def test_more_qubits_than_a_float_can_count() -> None:
    """A product of RY(a): <Z> = cos a. 2**1100 multiply-adds in the order given, few thousand in the order found."""
    n_qubits = 1100
    circuit = Circuit(n_qubits)
    for qubit in range(n_qubits):
        circuit.ry(qubit)
    backend = create_backend("mps", circuit, max_bond=1, dtype=torch.complex128)
    state, _ = backend.step(backend.initial_state(1), torch.full((1, n_qubits), 0.1, dtype=torch.float64))
    other, _ = backend.step(backend.initial_state(1), torch.full((1, n_qubits), 0.12, dtype=torch.float64))
    found = backend.expectation(state, "IZZ" + "I" * (n_qubits - 3))
    assert float(found) == pytest.approx(math.cos(0.1) ** 2, abs=1e-12)
    assert float(backend.fidelity(state, other)) == pytest.approx(math.cos(0.01) ** (2 * n_qubits), abs=1e-11)


# On disk.

CHAIN, ENDS = NETWORKS["chain"]


def contract(planner: ContractionPlanner) -> None:
    operands = tensors(CHAIN)
    found = planner.contract(CHAIN, ENDS, operands)
    torch.testing.assert_close(found, einsum(CHAIN, ENDS, operands), rtol=0, atol=1e-12)


@pytest.mark.usefixtures("forget")
def test_a_plan_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contract(ContractionPlanner(cache_dir=tmp_path / "new" / "plans"))
    (file,) = (tmp_path / "new" / "plans").iterdir()
    assert file.suffix == ".json"
    backends.path_search.find_plan.cache_clear()
    monkeypatch.setattr(backends.path_search, "_search", lambda *_: pytest.fail("searched although there is a plan"))
    contract(ContractionPlanner(cache_dir=tmp_path / "new" / "plans"))


@pytest.mark.usefixtures("forget")
def test_other_shapes_and_efforts_have_their_own_plans(tmp_path: Path) -> None:
    for effort in ("greedy", "hyper"):
        contract(ContractionPlanner(effort=effort, cache_dir=tmp_path))
    ContractionPlanner(cache_dir=tmp_path).plan(CHAIN, ENDS, [(2, 2)] * 4)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(
    "content",
    ["", "{", "null", "3", "{}", '"abc"', "[1, 2]", "[[0, 9]]", "[[0, 1]]", "[[0, 1], [0, 1], [0, 1], [0, 1]]",
     '[["a", "b"]]', "[[0.5, 1]]", "[[0, 0]]", "[[], []]"],
)  # fmt: skip
def test_a_spoilt_file_is_ignored(tmp_path: Path, content: str) -> None:
    contract(ContractionPlanner(cache_dir=tmp_path))
    (file,) = tmp_path.iterdir()
    good = file.read_text()
    file.write_text(content)
    backends.path_search.find_plan.cache_clear()
    contract(ContractionPlanner(cache_dir=tmp_path))
    assert file.read_text() == good  # and replaced


@pytest.mark.usefixtures("forget")
def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    contract(ContractionPlanner(cache_dir=occupied))
    contract(ContractionPlanner(cache_dir=occupied / "below"))
    contract(ContractionPlanner(cache_dir=Path("/proc/nowhere")))


@pytest.mark.usefixtures("forget")
def test_no_folder_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    contract(ContractionPlanner(cache_dir=None))
    assert not list(tmp_path.iterdir())


def test_the_folder_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TNQRNN_CACHE", str(tmp_path))
    assert ContractionPlanner().cache_dir == tmp_path / "plans"


# Refusals.


def test_unknown_effort() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'greedy'"):
        ContractionPlanner(effort="greedi")


@pytest.mark.parametrize("max_elements", [0, -1, 2.5, "many", True])
def test_max_elements_is_a_positive_integer(max_elements: object) -> None:
    with pytest.raises(InvalidInput, match="max_elements"):
        ContractionPlanner(max_elements=max_elements)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "output", "shapes"),
    [
        ([("a", "b"), ("b",)], ("a",), [(2, 2), (3,)]),  # two sizes for b
        ([("a", "b")], ("a",), [(2,)]),  # more labels than dimensions
        ([("a",)], ("a",), [(2,), (2,)]),  # more tensors than labels
        ([("a", "b"), ("b",)], ("z",), [(2, 2), (2,)]),  # a result nobody has
        ([], (), []),
    ],
)
def test_networks_that_make_no_sense(inputs: list[Labels], output: Labels, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(InvalidInput, match="planning"):
        ContractionPlanner(cache_dir=None).plan(inputs, output, shapes)
