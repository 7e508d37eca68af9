"""`Reservoir`: a QRNN that is never trained. Controller and circuit stay as they were drawn; only the head learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from backends import Circuit
from backends.errors import require_number
from tnqrnn.ansatz import Ansatz
from tnqrnn.noise import ReadoutNoise
from tnqrnn.qrnn import QRNN


class Reservoir(QRNN):
    """A QRNN with frozen parameters. What training gains over it is what training the cell adds.

    Arguments: as for `QRNN`, but `dropout` acts on the readouts that leave the cell: noise inside a network that cannot
    adapt to it would only blur what the head learns from.
    """

    def __init__(
        self,
        input_size: int,
        ansatz: Ansatz | Circuit,
        controller: str = "glu",
        controller_width: int = 32,
        dropout: float = 0.0,
        angle_scale: float | None = None,
        sequence_length: int | None = None,
        backend: str = "statevector",
        backend_options: Mapping[str, Any] | None = None,
        noise: ReadoutNoise | None = None,
        precession: float = 0.0,
        segment_length: int | None = None,
    ) -> None:
        super().__init__(
            input_size,
            ansatz,
            controller,
            controller_width,
            0.0,
            angle_scale,
            sequence_length,
            backend,
            backend_options,
            noise,
            precession,
            segment_length,
        )
        self.readout_dropout = nn.Dropout(require_number("reservoir", "dropout", dropout, 0, 1))
        self.requires_grad_(False)
