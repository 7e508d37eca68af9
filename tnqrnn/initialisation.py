"""How small the first angles are.

With torch's default initialisation every timestep turns the state by angles of order one; over many timesteps the
readouts then forget the input and training stays at chance. A last controller layer scaled down starts near the
identity, from where training finds its way. The smaller the better up to a point: the right size shrinks with the
total number of angles that act on the state, over the whole sequence.
"""

from __future__ import annotations

# Total number of angles (angles per step times steps) up to which the default initialisation trains well; from the
# 8 x 8 scans: 18 angles over 8 rows train at scale 1, over 64 pixels at scale 0.1.
_ANGLES_AT_FULL_SCALE = 128
_ASSUMED_SEQUENCE_LENGTH = 64


def default_angle_scale(n_angles: int, sequence_length: int | None) -> float:
    """Return the factor on the controller's last layer: min(1, 128 / (n_angles * sequence_length)).

    `n_angles` per timestep; an unknown `sequence_length` (None) counts as 64 timesteps.
    """
    length = _ASSUMED_SEQUENCE_LENGTH if sequence_length is None else sequence_length
    return min(1.0, _ANGLES_AT_FULL_SCALE / max(1, n_angles * length))
