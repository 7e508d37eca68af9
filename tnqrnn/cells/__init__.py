"""Recurrent cells by name: the QRNN and what it is compared with. Each is defined in `docs/cells.md`."""

from tnqrnn.cells.registry import CELLS, SPECIAL, CellFamily, create_cell, require_used
from tnqrnn.settings import CELL_SETTINGS
from tnqrnn.states import CellState

__all__ = ["CELLS", "CELL_SETTINGS", "SPECIAL", "CellFamily", "CellState", "create_cell", "require_used"]
