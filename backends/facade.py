"""The public names of `backends`, imported when the first of them is asked for."""

from backends.base import Backend, State
from backends.circuits.circuit import Circuit, Gate
from backends.create import BACKENDS, create_backend
from backends.errors import InvalidInput
from backends.mps import MPSBackend, MPSState
from backends.planning import ContractionPlan, ContractionPlanner
from backends.statevector import StatevectorBackend, StatevectorState

__all__ = [
    "BACKENDS",
    "Backend",
    "Circuit",
    "ContractionPlan",
    "ContractionPlanner",
    "Gate",
    "InvalidInput",
    "MPSBackend",
    "MPSState",
    "State",
    "StatevectorBackend",
    "StatevectorState",
    "create_backend",
]
