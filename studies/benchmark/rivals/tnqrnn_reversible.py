"""Ours with gradient="reversible"."""

from __future__ import annotations

from studies.benchmark.rivals import tnqrnn_statevector
from studies.benchmark.workload import Simulator, Workload


def make(workload: Workload) -> Simulator:
    """Return our simulation that stores no state."""
    return tnqrnn_statevector.make(workload, gradient="reversible")
