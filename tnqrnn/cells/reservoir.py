"""`Reservoir`: a QRNN that is never trained. Controller and circuit stay as they were drawn; only the head learns."""

from __future__ import annotations

from typing import Any

from tnqrnn.qrnn import QRNN


class Reservoir(QRNN):
    """A QRNN with frozen parameters. What training gains over it is what training the cell adds.

    Arguments: as for `QRNN`, but `dropout` acts on the readouts that leave the cell: noise inside a network that cannot
    adapt to it would only blur what the head learns from.
    """

    drops_readouts = True

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.requires_grad_(False)
