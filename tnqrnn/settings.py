"""`CellSettings`: every setting that some recurrent cell has, in one object that is passed whole.

Written here once, a setting is an option of the command line (`--model.NAME`), a key of a configuration and an argument
of the cells in Python. `cells.CELLS` says which cell uses which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from backends.errors import as_integer, require_choice, require_positive_int
from tnqrnn.ansatz import Ansatz
from tnqrnn.noise import ReadoutNoise


@dataclass(frozen=True, kw_only=True)
class CellSettings:
    """The settings of one cell; it looks at those that it uses, and refuses what cannot work when it is built.

    Args:
        cell: Recurrent cell: qrnn, or one to compare it with: rnn_tanh, rnn_relu, lstm, gru, orthogonal,
            orthogonal_controlled, controller_only, qlstm, qrb or reservoir (docs/cells.md).
        hidden_size: Width of a cell without qubits; by default three per qubit, as many readouts as a qrnn has.
        n_qubits: Qubits of the hidden state.
        n_layers: Layers of the circuit at each timestep.
        rotations: One-qubit gates of a layer, applied to every qubit in this order: rx, ry, rz, p or u3, which
            take angles, and h, x, y, z, s, sdg, t, tdg.
        entangler: Two-qubit gate of a layer: crx, cry, crz, cp, rxx, ryy, rzz, or, without an angle, cx, cy, cz, swap.
        topology: Which qubits the entangler joins: chain, ring or brickwork.
        controller: Network that turns input and readouts into angles: linear, relu, gelu or glu.
        controller_width: Hidden units of the controller.
        dropout: Probability with which the controller drops a hidden unit.
        angle_scale: Factor on all angles of the circuit; by default it shrinks with qubits, layers and length.
        precession: Angle in radians by which the last qubit turns about z at every timestep at the start, and qubit k
            by (k + 1) / n_qubits of it, so that the state tells the age of an input; 0 turns none.
        keep: Whether an input whose features are all zero leaves the state as it is: its angles are zero, and every
            gate must have angles. Null for no.
        sequence_length: Timesteps, if they are known, for the default of angle_scale.
        backend: How the hidden state is held: statevector (exact), mps (truncated) or auto (chooses, says why).
        backend_options: Settings of the backend, such as {"max_bond": 16}.
        shots: Measurements per readout; null for exact expectation values.
        shot_noise: How readouts from shots are drawn: gaussian or multinomial (tnqrnn/noise.py).
        depolarising: Probability with which every qubit is depolarised before it is read.
        noise_in: When shots and depolarising act: evaluation, training or both.
        noise_seed: Seed of the noise in evaluation.
        state_depolarising: Probability with which a timestep leaves the whole register maximally mixed; null for none.
        segment_length: Timesteps after which the hidden state is kept for the backward; those between are computed
            again, which takes less memory and more time. Null keeps everything.
    """

    cell: str = "qrnn"
    hidden_size: int | None = None
    n_qubits: int = 6
    n_layers: int = 1
    rotations: Sequence[str] = ("ry", "rz")
    entangler: str = "crx"
    topology: str = "ring"
    controller: str = "glu"
    controller_width: int = 32
    dropout: float = 0.0
    angle_scale: float | None = None
    precession: float = 0.0
    keep: bool | None = None  # not false: runs are named after their settings, but for what is null
    sequence_length: int | None = None
    backend: str = "statevector"
    backend_options: Mapping[str, Any] | None = None
    shots: int | None = None
    shot_noise: str = "gaussian"
    depolarising: float = 0.0
    noise_in: str = "both"
    noise_seed: int = 0
    state_depolarising: float | None = None
    segment_length: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():  # integers as Python's, whatever came
            if (whole := as_integer(value)) is not None:
                object.__setattr__(self, name, whole)

    @property
    def ansatz(self) -> Ansatz:
        """The layered circuit of these settings."""
        return Ansatz(self.n_qubits, self.n_layers, self.rotations, self.entangler, self.topology)

    @property
    def units(self) -> int:
        """Hidden units of a classical cell: `hidden_size`, by default 3 n_qubits, so that the head is a QRNN's."""
        if self.hidden_size is None:
            return self.readouts
        return require_positive_int("cell", "hidden_size", self.hidden_size)

    @property
    def readouts(self) -> int:
        """Three per qubit."""
        return 3 * require_positive_int("cell", "n_qubits", self.n_qubits)

    @property
    def noise(self) -> ReadoutNoise:
        """The noise of the readouts."""
        return ReadoutNoise(
            shots=self.shots,
            kind=self.shot_noise,
            depolarising=self.depolarising,
            acts_in=self.noise_in,
            seed=self.noise_seed,
            state_depolarising=self.state_depolarising or 0.0,
        )


CELL_SETTINGS = tuple(field.name for field in fields(CellSettings) if field.name != "cell")

# Groups of settings, of which a cell says that it uses them.
SIZE = frozenset({"n_qubits", "dropout"})
CIRCUIT = frozenset({"n_qubits", "n_layers", "rotations", "entangler", "topology"})
CONTROLLER = frozenset({"controller", "controller_width", "angle_scale", "sequence_length"})
NOISE = frozenset({"shots", "shot_noise", "depolarising", "state_depolarising", "noise_in", "noise_seed"})
QUANTUM = NOISE | {"backend", "backend_options"}
IN_OBJECTS = CIRCUIT | NOISE  # where an `Ansatz` and a `ReadoutNoise` stand for them
# A quantum state that goes on from timestep to timestep. A classical state is no larger than what is kept beside it.
CARRIED = frozenset({"segment_length"})


def settled(
    who: str, settings: CellSettings | None, given: Mapping[str, Any], uses: Collection[str] = CELL_SETTINGS
) -> CellSettings:
    """Return `settings` (None: the defaults) with the `given` ones in their place.

    Raises InvalidInput on a name that is not among those which the cell uses.
    """
    for name in given:
        require_choice(who, "setting", name, [setting for setting in CELL_SETTINGS if setting in uses])
    return replace(settings or CellSettings(), **given)
