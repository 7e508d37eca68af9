"""Slopes of straight lines, and their spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Slope:
    """A slope: mean over seeds, standard deviation (n - 1; NaN for one seed), number of seeds."""

    mean: float
    std: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.std:.2f}" if math.isfinite(self.std) else f"{self.mean:.2f}"


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """Return the slope of the least-squares line through points with two different x at least."""
    return float(np.polyfit(np.asarray(x, float), np.asarray(y, float), 1)[0])


def slope_over_seeds(lines: Sequence[tuple[ArrayLike, ArrayLike]]) -> Slope | None:
    """Return the slope of one line per seed, with its spread; None where no line has two different x."""
    slopes = [slope(x, y) for x, y in lines if len(np.unique(np.asarray(x, float))) > 1]
    if not slopes:
        return None
    return Slope(float(np.mean(slopes)), float(np.std(slopes, ddof=1)) if len(slopes) > 1 else math.nan, len(slopes))
