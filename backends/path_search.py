"""The search for the order of a contraction by cotengra, and its execution by opt_einsum: the inside of `planning`.

A candidate order is scored as `multiply_adds + 64 * elements_written`, cotengra's measure "combo": on CPUs and GPUs
alike, writing an intermediate costs more than computing it (Gray and Kourtis, Quantum 5, 410 (2021)). opt_einsum has
torch execute the order pairwise, so autograd passes through.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cotengra as ctg
import opt_einsum
from torch import Tensor

from backends.cache import keep
from backends.errors import InvalidInput
from backends.planning import ContractionPlan, ContractionPlanner, Labels

_WRITE_WEIGHT = 64
_HYPER_REPEATS = 64
# How this file searches and what it writes is part of every plan's name: another version of it searches again.
_SEARCH = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


@lru_cache(maxsize=4096)
def find_plan(
    planner: ContractionPlanner, inputs: tuple[Labels, ...], output: Labels, shapes: tuple[tuple[int, ...], ...]
) -> ContractionPlan:
    """Return the plan of `ContractionPlanner.plan`; found once for the same arguments."""
    sizes = _sizes(inputs, output, shapes)
    shape = tuple(sizes[label] for label in output)
    # Without axes of length one: they cost nothing, so an intermediate could have more of them than einsum has letters.
    sizes = {label: size for label, size in sizes.items() if size > 1}
    inputs, output = _as_symbols(tuple(_only(sizes, labels) for labels in inputs), _only(sizes, output))
    sizes = dict(zip(dict.fromkeys(label for labels in inputs for label in labels), sizes.values(), strict=True))
    in_order = _tree(inputs, output, sizes, _path_in_order(len(inputs)))
    found_by, tree = _best_tree(planner, inputs, output, sizes, in_order)
    if planner.max_elements is not None and tree.max_size() > planner.max_elements:
        tree = tree.slice(target_size=planner.max_elements, seed=0)
    return ContractionPlan(
        inputs=inputs,
        output=output,
        multiply_adds=int(tree.total_flops()),
        order_multiply_adds=int(in_order.total_flops()),
        written=int(tree.total_write()),
        largest_intermediate=int(tree.max_size()),
        n_slices=int(tree.nslices),
        path=tuple(tuple(int(k) for k in pair) for pair in tree.get_path()),
        found_by=found_by,
        _execute=_executor(tree, shape),
    )


def _sizes(inputs: tuple[Labels, ...], output: Labels, shapes: tuple[tuple[int, ...], ...]) -> dict[str, int]:
    """The size of every index, in order of appearance; refuses a network that makes no sense."""
    if not inputs or [len(labels) for labels in inputs] != [len(shape) for shape in shapes]:
        raise InvalidInput(f"planning: labels {inputs} do not fit tensors of shapes {shapes}; give one label per axis.")
    sizes: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, size in zip(labels, shape, strict=True):
            if sizes.setdefault(label, size) != size:
                raise InvalidInput(f"planning: index {label!r} has sizes {sizes[label]} and {size} in one contraction.")
    for label in output:
        if label not in sizes:
            raise InvalidInput(f"planning: the result's index {label!r} belongs to no tensor.")
    return sizes


def _only(sizes: dict[str, int], labels: Labels) -> Labels:
    return tuple(label for label in labels if label in sizes)


def _as_symbols(inputs: tuple[Labels, ...], output: Labels) -> tuple[tuple[Labels, ...], Labels]:
    """Rename the indices to single characters in order of appearance, as cotengra's einsum equations need."""
    names: dict[str, str] = {}
    for label in (label for labels in (*inputs, output) for label in labels):
        names.setdefault(label, ctg.get_symbol(len(names)))
    return tuple(tuple(names[label] for label in labels) for labels in inputs), tuple(names[label] for label in output)


def _path_in_order(n_tensors: int) -> list[tuple[int, int]]:
    """First with second, the result with the third, and so on; a result goes to the end of the list."""
    return [(0, 1), *[(0, n_tensors - k - 1) for k in range(1, n_tensors - 1)]] if n_tensors > 1 else []


def _tree(
    inputs: tuple[Labels, ...], output: Labels, sizes: dict[str, int], path: Sequence[Sequence[int]]
) -> ctg.ContractionTree:
    return ctg.ContractionTree.from_path(inputs, output, sizes, path=path)


def _score(tree: ctg.ContractionTree) -> int:
    # An integer: 2**n of many hundred qubits, as the order given may cost, is beyond all floats.
    return int(tree.total_flops()) + _WRITE_WEIGHT * int(tree.total_write())


def _best_tree(
    planner: ContractionPlanner,
    inputs: tuple[Labels, ...],
    output: Labels,
    sizes: dict[str, int],
    in_order: ctg.ContractionTree,
) -> tuple[str, ctg.ContractionTree]:
    """The cheapest of the given order and what the search finds; looked up on disk first."""
    if planner.effort == "order" or len(inputs) < 3:
        return "order", in_order
    file = _cache_file(planner, inputs, output, sizes)
    cached = _read_path(file, len(inputs))
    if cached is not None:
        return planner.effort, _tree(inputs, output, sizes, cached)
    candidates = [("order", in_order)]
    candidates += [
        (planner.effort, _tree(inputs, output, sizes, path)) for path in _search(planner.effort, inputs, output, sizes)
    ]
    found_by, tree = min(candidates, key=lambda candidate: _score(candidate[1]))
    _write_path(file, tree.get_path())
    return found_by, tree


def _search(
    effort: str, inputs: tuple[Labels, ...], output: Labels, sizes: dict[str, int]
) -> list[Sequence[Sequence[int]]]:
    """Paths found by cotengra. Seeded and single-process, so that a resumed run contracts in the same order."""
    greedy = ctg.array_contract_path(inputs, output, sizes, optimize="greedy", cache=False)
    random_greedy = ctg.RandomGreedyOptimizer(max_repeats=16, seed=0, parallel=False)
    paths = [greedy, random_greedy(inputs, output, sizes)]
    if effort == "hyper":
        search = ctg.HyperOptimizer(
            methods=["greedy"], minimize="combo", max_repeats=_HYPER_REPEATS, parallel=False, optlib="random",
            optlib_opts={"seed": 0}, reconf_opts={"seed": 0},
        )  # fmt: skip
        paths.append(search(inputs, output, sizes))
    return paths


def _executor(tree: ctg.ContractionTree, shape: tuple[int, ...]) -> Callable[..., Tensor]:
    """The contraction of a tree by torch to a result of this shape, slice after slice where the tree has slices."""
    # opt_einsum is told that the tensors are torch's. cotengra asks autoray, whose 0.8.2 to 0.8.4 answer everybody in a
    # process with the library that came first: torch tensors would go to numpy, or other people's arrays to torch.
    pairs = tree.get_path() if len(tree.inputs) > 1 else [(0,)]
    expression = opt_einsum.contract_expression(tree.get_eq_sliced(), *tree.get_shapes_sliced(), optimize=pairs)

    def execute(*tensors: Tensor) -> Tensor:
        squeezed = [tensor.squeeze() for tensor in tensors]
        if tree.nslices == 1:
            result: Tensor = expression(*squeezed, backend="torch")
        else:
            slices = (tree.slice_arrays(squeezed, k) for k in range(tree.nslices))
            result = tree.gather_slices(expression(*arrays, backend="torch") for arrays in slices)
        return result.reshape(shape)

    return execute


def _cache_file(
    planner: ContractionPlanner, inputs: tuple[Labels, ...], output: Labels, sizes: dict[str, int]
) -> Path | None:
    if planner.cache_dir is None:
        return None
    key = json.dumps([ctg.__version__, _SEARCH, planner.effort, inputs, output, sorted(sizes.items())])
    return planner.cache_dir / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _read_path(file: Path | None, n_tensors: int) -> list[list[int]] | None:
    """The path kept for `n_tensors` tensors; None if it is absent, unreadable or no path: search again."""
    if file is None:
        return None
    try:
        path = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return path if _is_path(path, n_tensors) else None


def _is_path(path: object, n_tensors: int) -> bool:
    """Whether this is a list of pairs that contracts `n_tensors` tensors to one."""
    if not isinstance(path, list) or len(path) != n_tensors - 1:
        return False
    for left, pair in zip(range(n_tensors, 1, -1), path, strict=True):
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(k) is int and 0 <= k < left for k in pair):
            return False
        if pair[0] == pair[1]:
            return False
    return True


def _write_path(file: Path | None, path: Sequence[Sequence[int]]) -> None:
    if file is not None:
        keep(file, json.dumps([[int(k) for k in pair] for pair in path]).encode())
