"""How large a cell is at which width, and the size at which the cells of a task come closest to each other.

Widths are whole numbers: an LSTM of 20 units has 7 % fewer parameters than one of 21, so that it cannot come within 1 %
of just any size. The reference's own width may therefore move a little, to where the others fit best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from backends.errors import InvalidInput
from lightning_modules.tasks.task import SequenceTask
from tnqrnn.cells import CELLS
from tnqrnn.matching import match_parameters

Settings = Mapping[str, Any]  # of `tnqrnn fit`, by dotted name


def width_of(settings: Settings) -> str | None:
    """Return the name of the setting that is the width of the cell that these settings name; None if it has none."""
    return CELLS[settings["model.cell"]].width


class Sizes:
    """Trained parameters of the cells of one task, by width. `template` is the task with any cell."""

    def __init__(self, template: SequenceTask, tolerance: float) -> None:
        self._model = type(template)
        self._hyper_parameters = dict(template.hparams)
        self._tolerance = tolerance
        self._counts: dict[tuple[str, int], int] = {}

    def count(self, settings: Settings, width: int) -> int:
        """Return the parameters of the cell that `settings` name, with its width replaced."""
        given = {name.removeprefix("model."): value for name, value in settings.items() if name.startswith("model.")}
        given[str(width_of(settings))] = width
        key = (repr(sorted(given.items())), width)
        if key not in self._counts:
            with torch.random.fork_rng(devices=[]):
                # What belongs to the cell is the task's to say: an encoder and a decoder, for one.
                model = self._model(**{**self._hyper_parameters, **given})
                self._counts[key] = model.parameter_counts()["cell"]
        return self._counts[key]

    def matching_width(self, settings: Settings, target: int) -> int:
        """Return the width at which the cell has as nearly as possible `target` parameters."""
        return match_parameters(lambda w: _counted(self.count(settings, w)), target, tolerance=self._tolerance).width

    def common_target(self, reference: Settings, others: Sequence[Settings], width: int, adjust: float) -> int:
        """Return the size of the reference, `width` wide up to a relative `adjust`, that suits all the others best.

        Best is where the largest relative deviation is smallest; among equals, nearest to `width`.
        """
        reach = int(adjust * width)
        widths = sorted(range(max(1, width - reach), width + reach + 1), key=lambda value: abs(value - width))
        targets = [self.count(reference, value) for value in widths]
        return min(targets, key=lambda target: self._largest_deviation(others, target))

    def _largest_deviation(self, cells: Sequence[Settings], target: int) -> float:
        return max((self._deviation(settings, target) for settings in cells), default=0.0)

    def _deviation(self, settings: Settings, target: int) -> float:
        try:
            width = self.matching_width(settings, target)
        except InvalidInput:  # said where the cell itself is planned
            return 0.0
        # To a thousandth: the noise below would move the reference for nothing.
        return round(abs(self.count(settings, width) / target - 1), 3)


def _counted(count: int) -> nn.Module:
    """Return a module with so many trained parameters, which take no memory."""
    module = nn.Module()
    module.register_parameter("parameter", nn.Parameter(torch.empty(count, device="meta")))
    return module
