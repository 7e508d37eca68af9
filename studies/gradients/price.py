"""What a cell of the gradient study costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.errors import InvalidInput, require_choice, require_positive_int
from studies.engine.study import Price
from studies.gradients.measure import build
from tnqrnn.cells import CELLS
from tnqrnn.recurrence import QuantumRecurrence

WHO = "study gradients"
_STEP_SECONDS, _PER_AMPLITUDE = 2e-3, 2e-9
_PROCESS_BYTES = 500 * 2**20


def price(settings: Mapping[str, Any]) -> Price:
    """Return the seconds and bytes of a cell; refuses what cannot be meant."""
    require_choice(WHO, "cell", settings["cell"], CELLS)
    for name in ("n_qubits", "timesteps", "features"):
        require_positive_int(WHO, name, settings[name])
    if require_positive_int(WHO, "initialisations", settings["initialisations"]) < 2:
        raise InvalidInput(f"{WHO}: initialisations must be at least 2, as one has no variance.")
    steps, seconds, stored = settings["timesteps"], _STEP_SECONDS, 0
    cell = build(settings)
    if not any(weight.requires_grad for weight in cell.parameters()):
        raise InvalidInput(f"{WHO}: a cell {settings['cell']!r} is not trained, so it has no gradient; leave it out.")
    if isinstance(cell, QuantumRecurrence):
        amplitudes = 1 << settings["n_qubits"]
        seconds += 8 * len(cell.cell.circuit) * amplitudes * _PER_AMPLITUDE
        stored = 3 * steps * 16 * amplitudes
    return Price(1 + settings["initialisations"] * steps * seconds, _PROCESS_BYTES + stored)
