"""The exact backend: all 2**n amplitudes of every sample."""

from backends.statevector.backend import StatevectorBackend
from backends.statevector.state import StatevectorState

__all__ = ["StatevectorBackend", "StatevectorState"]
