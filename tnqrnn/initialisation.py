"""How large the angles are, how far a training step moves them, and how the qubits precess.

The angles are s C(f): a controller C with torch's usual weights, and a factor s that stays. The state after T timesteps
of P angles each is a product of P T rotations, so what it owes to a change of the weights is bounded by

    |d psi| <= 1/2 sum over P T angles of |d angle| <= 1/2 P T s |f|_1 max |d weight|        (last layer; f its input)

and inputs that mean something add up like that. Adam moves every weight by about the learning rate, however small the
weight and its gradient are. With torch's weights and s = 1 the angles are of order one, the readouts forget the input
within a few timesteps, and training stays at chance; with small weights instead of a small factor it begins well, but
after a few steps the angles are of order one again. With s proportional to 1 / (P T) both the start and the effect of a
step on the state are the same for every circuit and every length, and one learning rate serves them all.

Near the identity, though, the state forgets when something happened: small rotations add up, whatever their order. If
every qubit turns about z by its own angle at every timestep, an input is stored with a phase that tells its age, as in
the recurrences with spread eigenvalues on the unit circle of arXiv:1511.06464 and arXiv:2303.06349. That free
precession is the bias of the controller's last layer for those rotations; training may change it like any weight.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backends.circuits.circuit import Circuit
from backends.errors import InvalidInput, require_number, require_positive_int
from tnqrnn.settings import CellSettings

# Gates of one angle that turn a qubit about z, up to a phase that no readout sees.
_TURNS = ("rz", "p")

# Total number of angles (angles per step times steps) up to which the factor is 1; from the 8 x 8 scans: 18 angles over
# 8 rows train at 1, over 64 pixels at 0.1.
_ANGLES_AT_FULL_SCALE = 128
_ASSUMED_SEQUENCE_LENGTH = 64


def default_angle_scale(n_angles: int, sequence_length: int | None) -> float:
    """Return the factor on all angles: min(1, 128 / (n_angles * sequence_length)).

    `n_angles` per timestep; an unknown `sequence_length` (None) counts as 64 timesteps.
    """
    length = _ASSUMED_SEQUENCE_LENGTH if sequence_length is None else sequence_length
    return min(1.0, _ANGLES_AT_FULL_SCALE / max(1, n_angles * length))


def require_angle_scale(who: str, settings: CellSettings, n_angles: int) -> float:
    """Return `angle_scale`, or the default for these angles per timestep; refuses what is no positive number."""
    length, angle_scale = settings.sequence_length, settings.angle_scale
    if length is not None:
        length = require_positive_int(who, "sequence_length", length)
    if angle_scale is None:
        angle_scale = default_angle_scale(n_angles, length)
    return require_number(who, "angle_scale", angle_scale, 0, math.inf, open_below=True)


class ScaledAngles(nn.Module):
    """A module whose angles are `angle_scale` times what the parameters named in `scaled` give linearly.

    Weights of a version 1, whose angles had no factor, are divided by it when they are loaded: the same angles.
    """

    _version = 2
    angle_scale: float
    scaled: ClassVar[tuple[str, ...]]

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        if local_metadata.get("version", self._version) < self._version:
            for name in (f"{prefix}{name}" for name in self.scaled):
                if name in state_dict:
                    state_dict[name] = state_dict[name] / self.angle_scale
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def precession_angles(circuit: Circuit, largest: float) -> tuple[list[int], Tensor]:
    """Return which angles (slots of the angle vector) precess, one per qubit, and how far per timestep, (n_qubits,).

    Qubit k turns by `largest` (k + 1) / n_qubits radians, in the first gate that turns it about z.

    Raises:
        InvalidInput: A qubit has no such gate.
    """
    slots: dict[int, int] = {}
    for gate in circuit.gates:
        if gate.name in _TURNS:
            slots.setdefault(gate.qubits[0], gate.slots[0])
    n_qubits = circuit.n_qubits
    for qubit in range(n_qubits):
        if qubit not in slots:
            raise InvalidInput(
                f"QRNN: precession turns every qubit about z, but qubit {qubit} has none of the gates "
                f"{', '.join(_TURNS)}; add rz to the rotations, or set precession to 0."
            )
    return [slots[qubit] for qubit in range(n_qubits)], largest * torch.arange(1, n_qubits + 1) / n_qubits
