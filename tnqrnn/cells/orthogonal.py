"""`OrthogonalRNN`: a real hidden vector, turned by one orthogonal matrix at every timestep.

    h_t = modReLU(W h_{t-1} + V x_t),    W = exp(A),   A = -A^T,    modReLU(a) = sign(a) relu(|a| + b),    z_t = h_t

The matrix exponential is the parametrisation of expRNN (arXiv:1901.08428), the network that of scoRNN
(arXiv:1707.09520), which uses Cayley's map. Only the entries above the diagonal of A are parameters, so that a count of
parameters counts what is free: torch.nn.utils.parametrizations.orthogonal would keep all h^2 entries.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tnqrnn.recurrence import Recurrence, Timestep
from tnqrnn.room import require_room
from tnqrnn.sequences import at_least_single
from tnqrnn.settings import SIZE, CellSettings, settled
from tnqrnn.states import CellState

_LARGEST_FIRST_BIAS = 0.01  # as in expRNN


class OrthogonalRNN(Recurrence):
    """An orthogonal recurrent network; see the module for its formula.

    Arguments: `input_size` features per timestep, and of `CellSettings` `hidden_size` units, which are also the
    readouts, and `dropout` of the readouts that leave the cell. The rotation starts as blocks of two with angles
    uniform in (-pi, pi), as in expRNN.
    """

    name = "orthogonal"
    uses = SIZE | {"hidden_size"}

    def __init__(self, input_size: int, settings: CellSettings | None = None, **given: Any) -> None:
        settings = settled(self.name, settings, given, self.uses)
        hidden_size = settings.units
        # The positions of the weights are kept too, two integers of eight bytes for each.
        require_room(self.name, 3 * hidden_size**2, "Use a smaller hidden_size, or fewer qubits.")
        super().__init__(self.name, input_size, hidden_size, [hidden_size], readout_dropout=settings.dropout)
        upper = torch.triu_indices(hidden_size, hidden_size, offset=1)
        self.register_buffer("upper", upper, persistent=False)  # (2, hidden_size (hidden_size - 1) / 2)
        in_a_block = (upper[0] % 2 == 0) & (upper[1] == upper[0] + 1)
        angles = torch.empty(upper.shape[1]).uniform_(-math.pi, math.pi)
        self.skew = nn.Parameter(angles * in_a_block)
        self.drive = nn.Linear(input_size, hidden_size, bias=False)
        nn.init.kaiming_normal_(self.drive.weight)
        self.bias = nn.Parameter(torch.empty(hidden_size).uniform_(-_LARGEST_FIRST_BIAS, _LARGEST_FIRST_BIAS))

    def rotation(self) -> Tensor:
        """Return the orthogonal matrix W, (hidden_size, hidden_size).

        Computed in single precision at least: in half the series of the exponential overflows.
        """
        upper = self.get_buffer("upper")
        skew = self.skew.to(at_least_single(self.skew.dtype))
        above = skew.new_zeros(self.output_size, self.output_size).index_put((upper[0], upper[1]), skew)
        rotation: Tensor = torch.linalg.matrix_exp(above - above.T)
        return rotation.to(self.skew.dtype)

    def begin(self, x: Tensor) -> Timestep:
        transposed = self.rotation().T

        def timestep(x_t: Tensor, state: CellState, z: Tensor) -> tuple[CellState, Tensor]:
            (h,) = state.tensors
            turned = h @ transposed + self.drive(x_t)
            h = turned.sign() * torch.relu(turned.abs() + self.bias)
            return CellState((h,)).to(x.dtype), h

        return timestep
