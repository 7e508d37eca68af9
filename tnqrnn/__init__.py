"""Quantum recurrent neural networks on an exact statevector or a truncated matrix product state."""

from importlib.metadata import PackageNotFoundError, version

from backends import Circuit, InvalidInput, State, create_backend
from tnqrnn.ansatz import Ansatz
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.matching import ParameterMatch, match_parameters
from tnqrnn.noise import ReadoutNoise
from tnqrnn.qrnn import QRNN, QRNNCell

try:
    __version__ = version("tnqrnn")
except PackageNotFoundError:  # used from a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "CELLS",
    "QRNN",
    "Ansatz",
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
