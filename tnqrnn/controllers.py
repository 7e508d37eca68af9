"""The classical controller: from the input and the last readouts to the angles of the circuit."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from backends.errors import require_choice, require_number, require_positive_int

# How many times the hidden width the first layer produces, and what follows it. None: no hidden layer.
CONTROLLERS: dict[str, tuple[int, type[nn.Module]] | None] = {
    "linear": None,
    "relu": (1, nn.ReLU),
    "gelu": (1, nn.GELU),
    "glu": (2, nn.GLU),
}


class Controller(nn.Module):
    """`s output(dropout(activation(hidden(x))))`; the kind "linear" has no hidden layer and ignores `width`.

    Maps features (..., in_features) to angles (..., n_angles) in radians. `angle_scale` is s, a factor that stays: the
    angles start small, and a step of an optimiser moves them by s times what it moves the weights (see
    `initialisation`).
    """

    # 1: angle_scale was multiplied into the last layer at the start, and the angles had no factor.
    _version = 2

    def __init__(
        self,
        kind: str,
        in_features: int,
        n_angles: int,
        *,
        width: int,
        dropout: float,
        angle_scale: float,
        who: str = "QRNN",
    ) -> None:
        super().__init__()
        shape = CONTROLLERS[require_choice(who, "controller", kind, CONTROLLERS)]
        require_positive_int(who, "controller_width", width)
        require_number(who, "dropout", dropout, 0, 1)
        self.hidden: nn.Module = nn.Identity()
        self.activation: nn.Module = nn.Identity()
        if shape is not None:
            multiple, activation = shape
            self.hidden = nn.Linear(in_features, multiple * width)
            self.activation = activation()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(in_features if shape is None else width, n_angles)
        self.angle_scale = angle_scale

    def forward(self, features: Tensor) -> Tensor:
        """Return the angles (..., n_angles) for features (..., in_features)."""
        outputs: Tensor = self.output(self.dropout(self.activation(self.hidden(features))))
        return self.angle_scale * outputs

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        """Divide the last layer of a version 1 by the factor, so that its angles stay what they were."""
        if local_metadata.get("version", self._version) < self._version:
            for name in (f"{prefix}output.weight", f"{prefix}output.bias"):
                if name in state_dict:
                    state_dict[name] = state_dict[name] / self.angle_scale
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)
