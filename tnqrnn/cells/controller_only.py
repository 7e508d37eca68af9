"""`ControllerOnly`: the QRNN's controller without a quantum state.

    z_t = tanh(controller([x_t ; z_{t-1}])),    z_0 = 0

The 3n outputs of the controller stand for the 3n readouts, bounded by tanh as expectation values are. What a QRNN gains
over it is what the quantum state adds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tnqrnn.controllers import Controller
from tnqrnn.recurrence import Recurrence, Timestep
from tnqrnn.settings import CONTROLLER, SIZE, CellSettings, settled
from tnqrnn.states import CellState


class ControllerOnly(Recurrence):
    """A controller that feeds its own outputs back; see the module for its formula.

    Arguments: `input_size` features per timestep, and those of `CellSettings` that it uses: the controller's, and
    `n_qubits`, giving the number of readouts, 3 n_qubits. `angle_scale` multiplies the controller's outputs, by default
    1: there is no state that small outputs would keep.
    """

    name = "controller_only"
    uses = SIZE | CONTROLLER - {"sequence_length"}

    def __init__(self, input_size: int, settings: CellSettings | None = None, **given: Any) -> None:
        settings = settled(self.name, settings, given, self.uses)
        if settings.angle_scale is None:
            settings = replace(settings, angle_scale=1.0)
        readouts = settings.readouts
        super().__init__(self.name, input_size, readouts, [readouts])
        self.controller = Controller(input_size + readouts, readouts, settings, self.name)

    def begin(self, x: Tensor) -> Timestep:
        def timestep(x_t: Tensor, state: CellState, z: Tensor) -> tuple[CellState, Tensor]:
            z = torch.tanh(self.controller(torch.cat([x_t, z], -1)))
            return CellState((z,)).to(x.dtype), z

        return timestep
