"""`CELLS`, every recurrent cell by name, and `create_cell`, which builds one from flat settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from backends.errors import InvalidInput, require_choice, require_positive_int
from tnqrnn.ansatz import Ansatz
from tnqrnn.cells.controller_only import ControllerOnly
from tnqrnn.cells.gated import KINDS, GatedRNN
from tnqrnn.cells.givens import ControlledRotations
from tnqrnn.cells.orthogonal import OrthogonalRNN
from tnqrnn.cells.qlstm import QLSTM
from tnqrnn.cells.qrb import QRB
from tnqrnn.cells.reservoir import Reservoir
from tnqrnn.noise import ReadoutNoise
from tnqrnn.qrnn import QRNN


@dataclass(frozen=True)
class CellSettings:
    """Every setting that some cell has; `CELLS[name].settings` says which of them the cell `name` uses."""

    hidden_size: int | None = None  # None: 3 n_qubits, so that the head is that of a QRNN
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
    sequence_length: int | None = None
    backend: str = "statevector"
    backend_options: Mapping[str, Any] | None = None
    shots: int | None = None  # None: exact readouts
    shot_noise: str = "gaussian"
    depolarising: float = 0.0
    noise_in: str = "both"
    noise_seed: int = 0
    state_depolarising: float | None = None  # None: 0
    segment_length: int | None = None  # None: everything is kept for the backward

    @property
    def ansatz(self) -> Ansatz:
        """The layered circuit of these settings."""
        return Ansatz(self.n_qubits, self.n_layers, tuple(self.rotations), self.entangler, self.topology)

    @property
    def units(self) -> int:
        """Hidden units of a classical cell: `hidden_size`, by default 3 n_qubits."""
        if self.hidden_size is None:
            return 3 * require_positive_int("cell", "n_qubits", self.n_qubits)
        return require_positive_int("cell", "hidden_size", self.hidden_size)

    @property
    def noise(self) -> ReadoutNoise:
        """The noise of the readouts."""
        return ReadoutNoise(
            self.shots,
            self.shot_noise,
            self.depolarising,
            self.noise_in,
            self.noise_seed,
            self.state_depolarising or 0.0,
        )


@dataclass(frozen=True)
class CellFamily:
    """How a cell is built, which settings it uses, and which of them is its width, the one to match parameters by."""

    build: Callable[[int, CellSettings], nn.Module]
    settings: frozenset[str]
    width: str | None


SIZE = frozenset({"n_qubits", "dropout"})
CIRCUIT = frozenset({"n_layers", "rotations", "entangler", "topology"})
CONTROLLER = frozenset({"controller", "controller_width", "angle_scale", "sequence_length"})
NOISE = frozenset({"shots", "shot_noise", "depolarising", "state_depolarising", "noise_in", "noise_seed"})
QUANTUM = NOISE | {"backend", "backend_options"}
# A quantum state that goes on from timestep to timestep. A classical state is no larger than what is kept beside it.
CARRIED = frozenset({"segment_length"})

# Whoever gives one of these on the command line means a cell that uses it. The others describe a size or a controller,
# and may stand in a configuration that is run with many cells.
SPECIAL = QUANTUM | CARRIED | {"hidden_size", "rotations", "entangler", "topology", "precession"}


def _controlled(cell: type[QRNN]) -> Callable[[int, CellSettings], nn.Module]:
    def build(input_size: int, given: CellSettings) -> nn.Module:
        return cell(
            input_size,
            given.ansatz,
            given.controller,
            given.controller_width,
            given.dropout,
            given.angle_scale,
            given.sequence_length,
            given.backend,
            given.backend_options,
            given.noise,
            given.precession,
            given.segment_length,
        )

    return build


def _orthogonal(input_size: int, given: CellSettings) -> nn.Module:
    return OrthogonalRNN(input_size, given.units, given.dropout)


def _orthogonal_controlled(input_size: int, given: CellSettings) -> nn.Module:
    return ControlledRotations(
        input_size,
        given.n_qubits,
        given.hidden_size,
        given.n_layers,
        given.controller,
        given.controller_width,
        given.dropout,
        given.angle_scale,
        given.sequence_length,
    )


def _controller_only(input_size: int, given: CellSettings) -> nn.Module:
    return ControllerOnly(
        input_size, given.n_qubits, given.controller, given.controller_width, given.dropout, given.angle_scale
    )


def _qlstm(input_size: int, given: CellSettings) -> nn.Module:
    return QLSTM(
        input_size,
        given.units,
        given.n_qubits,
        given.n_layers,
        given.dropout,
        given.backend,
        given.backend_options,
        given.noise,
    )


def _qrb(input_size: int, given: CellSettings) -> nn.Module:
    return QRB(
        input_size,
        given.ansatz,
        given.dropout,
        given.angle_scale,
        given.sequence_length,
        given.backend,
        given.backend_options,
        given.noise,
        given.segment_length,
    )


def _gated(kind: str) -> CellFamily:
    def build(input_size: int, given: CellSettings) -> nn.Module:
        return GatedRNN(kind, input_size, given.units, given.dropout)

    return CellFamily(build, SIZE | {"hidden_size"}, "hidden_size")


CELLS: dict[str, CellFamily] = {
    "qrnn": CellFamily(
        _controlled(QRNN), SIZE | CIRCUIT | CONTROLLER | QUANTUM | CARRIED | {"precession"}, "controller_width"
    ),
    **{kind: _gated(kind) for kind in KINDS},
    "orthogonal": CellFamily(_orthogonal, SIZE | {"hidden_size"}, "hidden_size"),
    "orthogonal_controlled": CellFamily(
        _orthogonal_controlled, SIZE | CONTROLLER | {"hidden_size", "n_layers"}, "controller_width"
    ),
    "controller_only": CellFamily(_controller_only, SIZE | CONTROLLER - {"sequence_length"}, "controller_width"),
    "qlstm": CellFamily(_qlstm, SIZE | QUANTUM | {"hidden_size", "n_layers"}, "hidden_size"),
    "qrb": CellFamily(_qrb, SIZE | CIRCUIT | QUANTUM | CARRIED | {"angle_scale", "sequence_length"}, None),
    "reservoir": CellFamily(
        _controlled(Reservoir), SIZE | CIRCUIT | CONTROLLER | QUANTUM | CARRIED | {"precession"}, None
    ),
}
CELL_SETTINGS = tuple(field.name for field in fields(CellSettings))


def create_cell(name: str, input_size: int, **settings: Any) -> nn.Module:
    """Return the recurrent cell called `name` for `input_size` features per timestep.

    Every cell is called `(x (batch, time, input_size), state=None, lengths=None) -> (z (batch, time, output_size),
    state)`. `settings` are those of `CellSettings` that the cell uses. Raises InvalidInput on an unknown name, on a
    setting that does not exist or that this cell does not use, and on values that cannot work.
    """
    family = CELLS[require_choice("create_cell", "cell", name, CELLS)]
    for setting in settings:
        require_choice("create_cell", "setting", setting, CELL_SETTINGS)
        require_used(name, setting)
    return family.build(require_positive_int(name, "input_size", input_size), CellSettings(**settings))


def require_used(name: str, setting: str, flag: str | None = None) -> None:
    """Refuse a setting that the cell called `name` does not use; `flag` is how the user wrote it."""
    if setting not in CELLS[name].settings:
        users = ", ".join(cell for cell, family in CELLS.items() if setting in family.settings)
        raise InvalidInput(
            f"cell {name!r} does not use {flag or setting}; leave it out, or choose a cell that does: {users}."
        )
