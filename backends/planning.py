"""Contraction planning: one place that decides in which order tensors are multiplied, and shows what it decided.

`path_search` finds the order (`ContractionPlanner.effort` says how hard); the plan is kept in memory and on disk per
network and shapes. Indices shared by all tensors and the output, as our batch index is, are ordinary indices here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from torch import Tensor

from backends.cache import cache_root
from backends.errors import require_choice, require_positive_int

EFFORTS = ("order", "greedy", "hyper")
Labels = tuple[str, ...]


def default_cache_dir() -> Path:
    """Directory of the plans on disk."""
    return cache_root() / "plans"


@dataclass(frozen=True, eq=False)
class ContractionPlan:
    """An order of pairwise contractions with its price; call it with the tensors to carry it out.

    `multiply_adds` and `order_multiply_adds` count scalar multiply-adds of the plan and of contracting the tensors in
    the order given; `largest_intermediate` is in elements of one tensor; `n_slices` parts are computed one after the
    other when a memory budget asks for it.
    """

    inputs: tuple[Labels, ...]
    output: Labels
    multiply_adds: int
    order_multiply_adds: int
    written: int
    largest_intermediate: int
    n_slices: int
    path: tuple[tuple[int, ...], ...]
    found_by: str
    _execute: Callable[..., Tensor] = field(repr=False)

    def __call__(self, *tensors: Tensor) -> Tensor:
        return self._execute(*tensors)

    def __str__(self) -> str:
        terms = ",".join("".join(labels) for labels in self.inputs) + "->" + "".join(self.output)
        saving = f"{Decimal(self.order_multiply_adds) / max(self.multiply_adds, 1):.3g}"
        return "\n".join(
            [
                f"contraction of {len(self.inputs)} tensors, order found by '{self.found_by}'",
                f"  equation              {terms}",
                f"  multiply-adds         {scientific(self.multiply_adds)}   ({saving}x fewer than in the order given)",
                f"  elements written      {scientific(self.written)}",
                f"  largest intermediate  {scientific(self.largest_intermediate)} elements",
                f"  slices                {self.n_slices}",
                f"  pairwise steps        {' '.join(str(pair) for pair in self.path)}",
            ]
        )


@dataclass(frozen=True)
class ContractionPlanner:
    """Settings of the search.

    `effort`: "order" multiplies in the order given, "greedy" searches for milliseconds, "hyper" for seconds (worth it
    for large states that are contracted many times). `cache_dir` keeps found orders on disk (None: only in memory).
    `max_elements` slices the contraction so that no intermediate is larger, for a memory budget.
    """

    effort: str = "greedy"
    cache_dir: Path | None = field(default_factory=default_cache_dir)
    max_elements: int | None = None

    def __post_init__(self) -> None:
        require_choice("planning", "effort", self.effort, EFFORTS)
        if self.max_elements is not None:
            most = require_positive_int("planning", "max_elements", self.max_elements)
            object.__setattr__(self, "max_elements", most)

    def plan(self, inputs: Sequence[Labels], output: Labels, shapes: Sequence[tuple[int, ...]]) -> ContractionPlan:
        """Return the plan for tensors with these index labels and shapes; a label's size is the same everywhere."""
        from backends.path_search import find_plan  # cotengra takes a moment to import, which the kernels do without

        return find_plan(self, tuple(inputs), tuple(output), tuple(tuple(shape) for shape in shapes))

    def contract(self, inputs: Sequence[Labels], output: Labels, tensors: Sequence[Tensor]) -> Tensor:
        """Contract `tensors`, whose indices carry the labels `inputs`, to a tensor with the labels `output`."""
        return self.plan(inputs, output, [tuple(tensor.shape) for tensor in tensors])(*tensors)


def scientific(count: int) -> str:
    """Return a count as `1.234e+05`, one beyond all floats as well."""
    try:
        return f"{count:.3e}"
    except OverflowError:
        return f"{Decimal(count):.3e}"


DEFAULT_PLANNER = ContractionPlanner()
