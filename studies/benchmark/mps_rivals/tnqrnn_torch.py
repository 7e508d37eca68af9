"""Ours by torch operations: gate by gate, a singular value decomposition at the centre for every truncation."""

from __future__ import annotations

from studies.benchmark.mps_rivals import tnqrnn_mps
from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.workload import ChainWorkload


def make(workload: ChainWorkload) -> Contender:
    """Return our simulation without a compiled kernel."""
    return tnqrnn_mps.make(workload, engine="contraction")
