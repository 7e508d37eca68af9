"""`Reservoir`: a QRNN that is never trained. Controller and circuit stay as they were drawn; only the head learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from backends import Circuit
from backends.errors import require_number
from tnqrnn.ansatz import Ansatz
from tnqrnn.noise import ReadoutNoise
from tnqrnn.qrnn import OPTIONS, QRNN
from tnqrnn.settings import CellSettings, settled


class Reservoir(QRNN):
    """A QRNN with frozen parameters. What training gains over it is what training the cell adds.

    Arguments: as for `QRNN`, but `dropout` acts on the readouts that leave the cell: noise inside a network that cannot
    adapt to it would only blur what the head learns from.
    """

    def __init__(
        self,
        input_size: int,
        ansatz: Ansatz | Circuit,
        noise: ReadoutNoise | None = None,
        settings: CellSettings | None = None,
        **given: Any,
    ) -> None:
        settings = settled("reservoir", settings, given, OPTIONS)
        super().__init__(input_size, ansatz, noise, replace(settings, dropout=0.0))
        self.readout_dropout = nn.Dropout(require_number("reservoir", "dropout", settings.dropout, 0, 1))
        self.requires_grad_(False)
