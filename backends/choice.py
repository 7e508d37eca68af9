"""`backend="auto"`: which backend serves a circuit, by a model of time and memory, and why.

Seconds of one training timestep (forward and backward) of a batch, on one core:

    statevector    batch times gates times 2**n times 1.5 ns
    mps            batch times bonds that gates cross times (2 us + max_bond**3 times 20 ns)

with batches rounded up to whole tiles of 8; fitted to measurements (2 layers of RY, RZ and CRX; n = 8 to 14; n = 12 and
24 with max_bond 4 to 32); within a factor of two. The exact backend wins unless it does not fit the machine or costs
twice as much: an approximation should pay for itself. The memory counted is all that there is, not what is free at the
moment, so that a run that is taken up again chooses as it did before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from backends.circuits.circuit import Circuit
from backends.circuits.fusion import fuse
from backends.kernels.vectors import LANES
from backends.memory import format_bytes, total_bytes
from backends.mps.layout import Layout
from backends.statevector.kernel import BACKWARD_TILES

_STATEVECTOR_SECONDS = 1.5e-9
_SPLIT_SECONDS, _SPLIT_SECONDS_PER_PRODUCT = 2e-6, 2e-8
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
    need = ((timesteps + 5) * batch_size * dtype.itemsize + BACKWARD_TILES * LANES * dtype.itemsize // 2) << n
    there = int(_SHARE_OF_MEMORY * total_bytes())
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
    n, gates = circuit.n_qubits, sum(len(gate.qubits) == 2 for gate in fuse(circuit.gates))
    tiled = -(-batch_size // LANES) * LANES
    exact = tiled * (gates << n) * _STATEVECTOR_SECONDS
    layout = Layout.of(n, max_bond)
    if layout.n_sites == 1:  # held by the statevector under another name
        return exact, exact
    crossed = sum(abs(first - last) for first, last in _ends(circuit, layout))
    return exact, tiled * crossed * (_SPLIT_SECONDS + (max_bond or 1) ** 3 * _SPLIT_SECONDS_PER_PRODUCT)


def _ends(circuit: Circuit, layout: Layout) -> Iterator[tuple[int, int]]:
    """The sites of both qubits of every two-qubit gate."""
    for gate in circuit.gates:
        if len(gate.qubits) == 2:
            first, last = (layout.find(qubit)[0] for qubit in gate.qubits)
            yield first, last


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.2g} ms" if seconds < 1 else f"{seconds:.2g} s"
