"""`ControllerOnly`: the QRNN's controller without a quantum state.

    z_t = tanh(controller([x_t ; z_{t-1}])),    z_0 = 0

The 3n outputs of the controller stand for the 3n readouts, bounded by tanh as expectation values are. What a QRNN gains
over it is what the quantum state adds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backends.errors import require_positive_int
from tnqrnn.cells.state import CellState
from tnqrnn.cells.stepped import Step, SteppedCell
from tnqrnn.controllers import Controller
from tnqrnn.initialisation import require_angle_scale


class ControllerOnly(SteppedCell):
    """A controller that feeds its own outputs back; see the module for its formula.

    Arguments: as for `QRNN`, with `n_qubits` giving the number of readouts, 3 n_qubits. `angle_scale` multiplies the
    controller's outputs, by default 1: there is no state that small outputs would keep.
    """

    name = "controller_only"

    def __init__(
        self,
        input_size: int,
        n_qubits: int,
        controller: str = "glu",
        controller_width: int = 32,
        dropout: float = 0.0,
        angle_scale: float | None = None,
    ) -> None:
        readouts = 3 * require_positive_int(self.name, "n_qubits", n_qubits)
        super().__init__(input_size, readouts, [readouts])
        self.controller = Controller(
            controller,
            input_size + readouts,
            readouts,
            width=controller_width,
            dropout=dropout,
            angle_scale=require_angle_scale(self.name, 1.0 if angle_scale is None else angle_scale, readouts, None),
            who=self.name,
        )

    def begin(self, x: Tensor) -> Step:
        def step(x_t: Tensor, state: CellState) -> tuple[CellState, Tensor]:
            z = torch.tanh(self.controller(torch.cat([x_t, *state.tensors], -1)))
            return CellState((z,)), z

        return step
