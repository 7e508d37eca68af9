"""The public names of `tnqrnn`, imported when the first of them is asked for."""

from backends import Circuit, InvalidInput, State, create_backend
from tnqrnn.ansatz import Ansatz
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.matching import ParameterMatch, match_parameters
from tnqrnn.noise import ReadoutNoise
from tnqrnn.qrnn import QRNN, QRNNCell
from tnqrnn.settings import CellSettings

__all__ = [
    "CELLS",
    "QRNN",
    "Ansatz",
    "CellSettings",
    "Circuit",
    "InvalidInput",
    "ParameterMatch",
    "QRNNCell",
    "ReadoutNoise",
    "State",
    "create_backend",
    "create_cell",
    "match_parameters",
]
