"""The classical controller: from the input and the last readouts to the angles of the circuit."""

from __future__ import annotations

from torch import Tensor, nn

from backends.errors import require_choice, require_number, require_positive_int
from tnqrnn.initialisation import ScaledAngles, require_angle_scale
from tnqrnn.room import require_room
from tnqrnn.settings import CellSettings

# How many times the hidden width the first layer produces, and what follows it. None: no hidden layer.
CONTROLLERS: dict[str, tuple[int, type[nn.Module]] | None] = {
    "linear": None,
    "relu": (1, nn.ReLU),
    "gelu": (1, nn.GELU),
    "glu": (2, nn.GLU),
}


class Controller(ScaledAngles):
    """`s output(dropout(activation(hidden(x))))`; the kind "linear" has no hidden layer and ignores `width`.

    Maps features (..., in_features) to angles (..., n_angles) in radians, with the kind, the hidden width and the
    dropout of `settings`. `angle_scale` is s, a factor that stays: the angles start small, and a step of an optimiser
    moves them by s times what it moves the weights (see `initialisation`).
    """

    scaled = ("output.weight", "output.bias")

    def __init__(self, in_features: int, n_angles: int, settings: CellSettings, who: str = "QRNN") -> None:
        super().__init__()
        self.angle_scale = require_angle_scale(who, settings, n_angles)
        shape = CONTROLLERS[require_choice(who, "controller", settings.controller, CONTROLLERS)]
        width = require_positive_int(who, "controller_width", settings.controller_width)
        dropout = require_number(who, "dropout", settings.dropout, 0, 1)
        weights = in_features * n_angles if shape is None else width * (shape[0] * in_features + n_angles)
        require_room(who, weights, "Use a smaller controller_width, fewer qubits or fewer layers.")
        self.hidden: nn.Module = nn.Identity()
        self.activation: nn.Module = nn.Identity()
        if shape is not None:
            multiple, activation = shape
            self.hidden = nn.Linear(in_features, multiple * width)
            self.activation = activation()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(in_features if shape is None else width, n_angles)

    def forward(self, features: Tensor) -> Tensor:
        """Return the angles (..., n_angles) for features (..., in_features)."""
        outputs: Tensor = self.output(self.dropout(self.activation(self.hidden(features))))
        return self.angle_scale * outputs
