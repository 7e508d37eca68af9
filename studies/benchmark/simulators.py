"""What a simulator is to the benchmark, and the registry of all: ours and others', exact and matrix product states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from torch import Tensor

from backends.errors import InvalidInput
from studies.benchmark.workload import Workload

OURS = {"statevector": "tnqrnn_statevector", "mps": "tnqrnn_mps"}
RIVALS = {
    "statevector": ("tnqrnn_reversible", "eager", "flagquantum", "tensorcircuit"),
    "mps": ("tnqrnn_torch", "flagquantum", "deepquantum", "tensorcircuit", "aer", "quimb"),
}
# Ours by settings of the backend; every other simulator is the module of its name.
_OF_OURS = {
    "tnqrnn_statevector": {},
    "tnqrnn_reversible": {"gradient": "reversible"},
    "tnqrnn_mps": {},
    "tnqrnn_torch": {"engine": "contraction"},
}


@dataclass(frozen=True)
class Simulator:
    """One simulator on one workload.

    `run`: angles (time, batch, n_angles) -> readouts (time, batch, 3 n_qubits), and the discarded weight that the
    simulator reports, a mean over samples (None: it reports none). Readouts without a gradient mean forward only.
    `samples`: it runs one after the other, so the first of so many stand for all, and their time counts for the batch.
    `backward_is_all`: its backward computes value and gradient together, so a training step is that alone.
    """

    run: Callable[[Tensor], tuple[Tensor, float | None]]
    samples: int | None = None
    backward_is_all: bool = False


def load(name: str, workload: Workload) -> Simulator:
    """Return a simulator by its name; refuses one whose package is not installed."""
    module = "ours" if name in _OF_OURS else name
    try:
        make = import_module(f"studies.benchmark.rivals.{module}").make
        simulator: Simulator = make(workload, **_OF_OURS.get(name, {}))
    except ImportError as error:
        raise InvalidInput(
            f"tnqrnn benchmark: {name} cannot be loaded ({error}); install it, or leave it out of --rivals."
        ) from error
    return simulator
