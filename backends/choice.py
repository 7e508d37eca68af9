"""`backend="auto"`: which backend serves a circuit, by a model of time and memory, and why.

Seconds of one training timestep (forward and backward) of a batch, on one core:

    statevector    batch, rounded up to whole tiles of 8, times gates times 2**n times 1.5 ns
    mps            splits times (3.3 ms + batch times max_bond**2 times 2 us)

fitted to measurements (2 layers of RY, RZ and CRX; n = 8 to 14; n = 12 and 24 with max_bond 4 to 32, batch 2 to 64);
within a factor of two. The exact backend wins unless it does not fit the machine or costs twice as much:
an approximation should pay for itself. The memory counted is the machine's, not what is free at the moment, so that a
run that is taken up again chooses as it did before.
"""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from backends.circuit import Circuit
from backends.memory import format_bytes
from backends.mps.layout import Layout
from backends.program import fuse
from backends.statevector.simd import LANES

_STATEVECTOR_SECONDS = 1.5e-9
_SPLIT_SECONDS, _SPLIT_SECONDS_PER_ENTRY = 3.3e-3, 2e-6
_PAYS_FROM = 2.0
_SHARE_OF_MEMORY = 0.8


@dataclass(frozen=True)
class Choice:
    """The name of a backend, and a sentence that says why."""

    name: str
    reason: str


def choose(circuit: Circuit, max_bond: int | None, batch_size: int, timesteps: int, dtype: torch.dtype) -> Choice:
    """Choose for training on sequences of `timesteps`, in batches of `batch_size`, with this `max_bond` on the mps."""
    n, layout = circuit.n_qubits, Layout.of(circuit.n_qubits, max_bond)
    if layout.n_sites == 1:
        limit = "max_bond=None never truncates" if max_bond is None else f"max_bond={max_bond} never binds"
        return Choice("statevector", f"{limit} at {n} qubits, so both backends are exact and this one is faster")
    need = (timesteps + 5) * batch_size * dtype.itemsize << n
    there = int(_SHARE_OF_MEMORY * psutil.virtual_memory().total)
    if need > there:
        amount = f"{format_bytes(need)} for {timesteps} timesteps of batch {batch_size}"
        return Choice(
            "mps", f"all amplitudes of {n} qubits would need {amount}; this machine has {format_bytes(there)}"
        )
    exact, truncated = timestep_seconds(circuit, max_bond, batch_size)
    times = f"about {_milliseconds(exact)} for a timestep of batch {batch_size}, mps {_milliseconds(truncated)}"
    if exact > _PAYS_FROM * truncated:
        return Choice("mps", f"all amplitudes of {n} qubits fit, but would take {times}")
    return Choice("statevector", f"it is exact and takes {times}")


def timestep_seconds(circuit: Circuit, max_bond: int | None, batch_size: int) -> tuple[float, float]:
    """Return the expected seconds of one timestep of training, by the statevector and by the mps, on one core."""
    n, gates = circuit.n_qubits, sum(len(gate.qubits) == 2 for gate in fuse(circuit))
    tiled = -(-batch_size // LANES) * LANES
    exact = tiled * (gates << n) * _STATEVECTOR_SECONDS
    if Layout.of(n, max_bond).n_sites == 1:  # held by the statevector under another name
        return exact, exact
    truncated = gates * (_SPLIT_SECONDS + batch_size * (max_bond or 1) ** 2 * _SPLIT_SECONDS_PER_ENTRY)
    return exact, truncated


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.2g} ms" if seconds < 1 else f"{seconds:.2g} s"
