"""`CELLS`, every recurrent cell by name, and `create_cell`, which builds one from its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from backends.errors import InvalidInput, require_choice, require_positive_int
from tnqrnn.cells.controller_only import ControllerOnly
from tnqrnn.cells.gated import KINDS, GatedRNN
from tnqrnn.cells.givens import ControlledRotations
from tnqrnn.cells.orthogonal import OrthogonalRNN
from tnqrnn.cells.qlstm import QLSTM
from tnqrnn.cells.qrb import QRB
from tnqrnn.cells.reservoir import Reservoir
from tnqrnn.qrnn import QRNN
from tnqrnn.recurrence import QuantumRecurrence
from tnqrnn.sequences import SequenceNetwork
from tnqrnn.settings import CELL_SETTINGS, CONTROLLER, SIZE, CellSettings, settled


@dataclass(frozen=True)
class CellFamily:
    """How a cell is built, which settings it uses, and which of them is its width, the one to match parameters by."""

    build: Callable[[int, CellSettings], SequenceNetwork]
    settings: frozenset[str]
    width: str | None


# Whoever gives one of these on the command line means a cell that uses it. The others describe a size or a controller,
# and may stand in a configuration that is run with many cells.
SPECIAL = frozenset(CELL_SETTINGS) - SIZE - CONTROLLER - {"n_layers"}


def _on_circuit(network: type[QuantumRecurrence], width: str | None) -> CellFamily:
    def build(input_size: int, settings: CellSettings) -> SequenceNetwork:
        return network(input_size, settings.ansatz, settings.noise, settings)

    return CellFamily(build, network.cell_type.uses, width)


CELLS: dict[str, CellFamily] = {
    "qrnn": _on_circuit(QRNN, "controller_width"),
    **{kind: CellFamily(GatedRNN, GatedRNN.uses, "hidden_size") for kind in KINDS},
    "orthogonal": CellFamily(OrthogonalRNN, OrthogonalRNN.uses, "hidden_size"),
    "orthogonal_controlled": CellFamily(ControlledRotations, ControlledRotations.uses, "controller_width"),
    "controller_only": CellFamily(ControllerOnly, ControllerOnly.uses, "controller_width"),
    "qlstm": CellFamily(QLSTM, QLSTM.uses, "hidden_size"),
    "qrb": _on_circuit(QRB, None),
    "reservoir": _on_circuit(Reservoir, None),
}


def create_cell(name: str, input_size: int, settings: CellSettings | None = None, **given: Any) -> SequenceNetwork:
    """Return the recurrent cell called `name` for `input_size` features per timestep.

    Every cell is called `(x (batch, time, input_size), state=None, lengths=None) -> (z (batch, time, output_size),
    state)`. Settings are those of `CellSettings`: an object with all of them, or by name those that the cell uses.
    Raises InvalidInput on an unknown name, on a setting that does not exist or that this cell does not use, and on
    values that cannot work.
    """
    family = CELLS[require_choice("create_cell", "cell", name, CELLS)]
    settings = settled("create_cell", settings, given)
    for setting in given:
        require_used(name, setting)
    return family.build(require_positive_int(name, "input_size", input_size), replace(settings, cell=name))


def require_used(name: str, setting: str, flag: str | None = None) -> None:
    """Refuse a setting that the cell called `name` does not use; `flag` is how the user wrote it."""
    if setting not in CELLS[name].settings:
        users = ", ".join(cell for cell, family in CELLS.items() if setting in family.settings)
        raise InvalidInput(
            f"cell {name!r} does not use {flag or setting}; leave it out, or choose a cell that does: {users}."
        )
