"""`TaskSettings`: what every task is told besides its data: its cell, how far the state is truncated, how it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from backends.errors import InvalidInput, require_choice
from tnqrnn.settings import CellSettings

OVER_BUDGET = ("warn", "stop")


@dataclass(frozen=True, kw_only=True)
class TaskSettings(CellSettings):
    """The settings that all tasks have.

    Args:
        max_bond: Largest bond dimension of the mps backend; null never truncates.
        truncation_cutoff: Schmidt weight below which the mps backend truncates.
        target_error: Discarded weight up to which the mps backend drops Schmidt values, in each truncation; null sets
            no target. What max_bond does not allow is counted in the metric max_bond_binds.
        truncation_budget: Largest truncation error that a sequence may gather; null sets no limit.
        over_budget: What to do beyond it: warn (once) or stop.
        learning_rate: Peak of the one-cycle schedule of Adam.
        cell_rate: Learning rate of the cell as a multiple of `learning_rate`. What acts at every timestep moves the
            output the more, the longer the sequence is; github.com/lezcano/expRNN takes 0.1 for its orthogonal cell.

    Raises:
        InvalidInput: A learning rate, the budget or what to do beyond it cannot work.
    """

    max_bond: int | None = 16
    truncation_cutoff: float = 0.0
    target_error: float | None = None
    truncation_budget: float | None = None
    over_budget: str = "warn"
    learning_rate: float = 0.01
    cell_rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "cell_rate"):
            if not 0 < (rate := getattr(self, name)) < math.inf:
                raise InvalidInput(f"task: {name} must be above 0 and finite, got {rate!r}.")
        if self.truncation_budget is not None and not self.truncation_budget > 0:
            raise InvalidInput(f"task: truncation_budget must be above 0, or null, got {self.truncation_budget!r}.")
        require_choice("task", "over_budget", self.over_budget, OVER_BUDGET)
        object.__setattr__(self, "backend_options", self._options_of_backend())

    @property
    def truncates(self) -> bool:
        """Whether the hidden state may be a truncated one."""
        return self.backend != "statevector"

    def by_name(self) -> dict[str, Any]:
        """Return the settings that the user has, by name."""
        return {name: getattr(self, name) for name in DEFAULTS}

    def _options_of_backend(self) -> dict[str, Any]:
        # Settings of the mps backend alone: switching the backend must not need other flags.
        if not self.truncates:
            return {}
        options = {name: getattr(self, name) for name in ("max_bond", "truncation_cutoff", "target_error")}
        if self.backend == "auto" and self.sequence_length is not None:
            options["timesteps"] = self.sequence_length
        return options


# What the user does not give: these follow from the others.
DERIVED = ("backend_options",)
DEFAULTS = {field.name: field.default for field in fields(TaskSettings) if field.name not in DERIVED}
