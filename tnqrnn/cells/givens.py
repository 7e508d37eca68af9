"""`ControlledRotations`: the QRNN with its quantum state replaced by a real unit vector that a controller rotates.

    angles_t = controller([x_t ; z_{t-1}])        v_t = R(angles_t) v_{t-1}        z_t = sqrt(h) (v_t)_1 ... (v_t)_{3n}

v is a unit vector of h >= 3n real entries, v_0 = (1, ..., 1) / sqrt(h). R is a product of Givens rotations
(a, b) -> (a cos - b sin, a sin + b cos) of neighbouring entries on a ring: per layer the pairs (0, 1), (2, 3), ...,
then (1, 2), (3, 4), ..., then the last with the first; h angles. With h = 3n, the default, the controller is that of a
QRNN with the default circuit, to the number of its parameters: 3n readouts in, 3n angles per layer out.

The classical counterpart of a QRNN, then: controller, feedback, readout size and the norm-preserving update are the
same. Different are the space (h real dimensions, no 2^n amplitudes) and the readouts (linear in v, not quadratic).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from backends.errors import InvalidInput, require_positive_int
from tnqrnn.controllers import Controller
from tnqrnn.recurrence import Recurrence, Timestep
from tnqrnn.settings import CONTROLLER, SIZE, CellSettings, settled
from tnqrnn.states import CellState

Pairs = list[tuple[int, int]]


class ControlledRotations(Recurrence):
    """A controller that rotates a real unit vector; see the module for its formula.

    Arguments: `input_size` features per timestep, and those of `CellSettings` that it uses: the controller's;
    `n_qubits`, giving the number of readouts, 3 n_qubits; `n_layers` of rotations; `hidden_size` entries of the vector
    (None: 3 n_qubits). Raises InvalidInput on settings that cannot work.
    """

    name = "orthogonal_controlled"
    uses = SIZE | CONTROLLER | {"hidden_size", "n_layers"}

    def __init__(self, input_size: int, settings: CellSettings | None = None, **given: Any) -> None:
        settings = settled(self.name, settings, given, self.uses)
        readouts, entries = settings.readouts, settings.units
        if entries < readouts:
            raise InvalidInput(
                f"{self.name}: hidden_size must be at least the {readouts} readouts of {settings.n_qubits} qubits, got "
                f"{entries}; raise it, or lower n_qubits."
            )
        super().__init__(self.name, input_size, readouts, [entries])
        self.n_layers = require_positive_int(self.name, "n_layers", settings.n_layers)
        self.controller = Controller(input_size + readouts, self.n_layers * entries, settings, self.name)
        stages = ring_stages(entries)
        self.stage_sizes = [len(pairs) for pairs in stages]
        self.stages = nn.ModuleList(GivensStage(pairs, entries) for pairs in stages)

    def initial_state(self, x: Tensor) -> CellState:
        """Return the vector whose entries are all the same."""
        [entries] = self.state_sizes
        return CellState((x.new_full((len(x), entries), 1 / math.sqrt(entries)),))

    def read(self, state: CellState) -> Tensor:
        """Return the first 3 n_qubits entries, times the root of the number of all."""
        [v] = state.tensors
        return math.sqrt(v.shape[1]) * v[:, : self.output_size]

    def begin(self, x: Tensor) -> Timestep:
        def timestep(x_t: Tensor, state: CellState, z: Tensor) -> tuple[CellState, Tensor]:
            [v] = state.tensors
            rotated = CellState((self.rotate(v, self.controller(torch.cat([x_t, z], -1))),)).to(x.dtype)
            return rotated, self.read(rotated)

        return timestep

    def rotate(
        self,
        v: Tensor,  # (batch, h)
        angles: Tensor,  # (batch, n_layers h), radians
    ) -> Tensor:  # (batch, h)
        """Return the rotated vectors: all stages of every layer, in order."""
        sizes = self.stage_sizes * self.n_layers
        for k, part in enumerate(angles.split(sizes, 1)):
            v = self.stages[k % len(self.stages)](v, part)
        return v


class GivensStage(nn.Module):
    """Givens rotations of disjoint pairs of entries, all at once."""

    first: Tensor
    second: Tensor
    untouched: Tensor
    back: Tensor

    def __init__(self, pairs: Pairs, entries: int) -> None:
        super().__init__()
        first, second = (list(side) for side in zip(*pairs, strict=True))
        untouched = sorted(set(range(entries)) - {*first, *second})
        order = torch.tensor([*first, *second, *untouched])
        indices = {"first": first, "second": second, "untouched": untouched, "back": order.argsort().tolist()}
        for name, numbers in indices.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.long), persistent=False)

    def forward(
        self,
        v: Tensor,  # (batch, h)
        angles: Tensor,  # (batch, pairs)
    ) -> Tensor:  # (batch, h)
        """Return the vectors with every pair rotated by its angle."""
        a, b, cos, sin = v[:, self.first], v[:, self.second], angles.cos(), angles.sin()
        return torch.cat([cos * a - sin * b, sin * a + cos * b, v[:, self.untouched]], 1)[:, self.back]


def ring_stages(entries: int) -> list[Pairs]:
    """Return the bonds of a ring of at least three entries, in stages of disjoint pairs: even, odd, the closing one."""
    chain = [(k, k + 1) for k in range(entries - 1)]
    even, odd, closing = chain[::2], chain[1::2], [(entries - 1, 0)]
    return [even, odd + closing] if entries % 2 == 0 else [even, odd, closing]
