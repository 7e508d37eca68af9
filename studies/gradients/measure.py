"""One cell: gradients of an untrained network, over many random initialisations.

The cost is one readout after the last timestep, <Z> of the first qubit or the first hidden unit, of one sequence of
normal random numbers; every initialisation draws weights and sequence anew. Measured, in double precision, are the norm
of the gradient in the hidden state of every timestep, and the variance over the initialisations of the derivative in
every trained parameter, averaged over the parameters. A variance that shrinks exponentially with the qubits is a barren
plateau (McClean et al., arXiv:1803.11173).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backends.errors import InvalidInput, require_choice, require_positive_int
from studies.engine.study import Price
from studies.fits import slope
from studies.gradients.norms import norms_and_gradients, unrolled
from tnqrnn.cells import CELLS, create_cell
from tnqrnn.recurrence import QuantumRecurrence

WHO = "study gradients"
_STEP_SECONDS, _PER_AMPLITUDE = 2e-3, 2e-9
_PROCESS_BYTES = 500 * 2**20
# Parameters that are angles of the circuit, the same at every timestep: arXiv:1803.11173 speaks of their derivatives.
_ANGLES = ("cell.controller.output.bias", "cell.theta")


def measure(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Return variances of derivatives and how norms change with time; write arrays.npz: `norms` (R, T - 1).

    `variance`: of all trained parameters; `variance_angles`: of those that are angles of the circuit, None for others.
    `first` and `last`: geometric means over the R initialisations of the norm at timestep 1 and T - 1; `per_timestep`:
    the factor by which the norm changes from one timestep to the next towards the beginning, None below 3 timesteps.
    """
    norms, derivatives = [], []
    for number in range(settings["initialisations"]):
        torch.manual_seed(seed * settings["initialisations"] + number)
        cell = build(settings)
        found, gradients = _one(cell, settings)
        norms.append(found)
        derivatives.append(gradients)
    stacked = np.array(norms)
    np.savez(folder / "arrays.npz", norms=stacked)
    variances = {name: torch.stack([one[name] for one in derivatives]).var(0) for name in derivatives[0]}
    angles = [variances[name] for name in _ANGLES if name in variances]
    logs = np.log(np.maximum(stacked, np.finfo(float).tiny)).mean(0)
    steps = np.arange(1, settings["timesteps"])
    return {
        "parameters": sum(variance.numel() for variance in variances.values()),
        "variance": float(torch.cat([variance.flatten() for variance in variances.values()]).mean()),
        "variance_angles": float(torch.cat(angles).mean()) if angles else None,
        "first": math.exp(logs[0]) if len(logs) else None,
        "last": math.exp(logs[-1]) if len(logs) else None,
        "per_timestep": math.exp(-slope(steps, logs)) if len(logs) > 1 else None,
    }


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


def build(settings: Mapping[str, Any]) -> nn.Module:
    """Return the cell of the settings, in double precision; settings that it does not use are left out."""
    name = settings["cell"]
    given = {
        "n_qubits": settings["n_qubits"],
        "n_layers": settings["n_layers"],
        "angle_scale": settings["angle_scale"],
        "sequence_length": settings["timesteps"],
    }
    used = {key: value for key, value in given.items() if key in CELLS[name].settings and value is not None}
    return create_cell(name, settings["features"], **used).double()


def _one(cell: nn.Module, settings: Mapping[str, Any]) -> tuple[list[float], dict[str, Tensor]]:
    """Return norms (T - 1) and derivatives by parameter, of one random sequence."""
    x = torch.randn(1, settings["timesteps"], settings["features"], dtype=torch.float64)
    states, z = unrolled(cell, x)
    # Readouts of a quantum cell are all X, then all Y, then all Z.
    first = 2 * settings["n_qubits"] if isinstance(cell, QuantumRecurrence) else 0
    trained = {name: weight for name, weight in cell.named_parameters() if weight.requires_grad}
    norms, gradients = norms_and_gradients(states, z[0, -1, first], list(trained.values()))
    return norms[0].tolist(), dict(zip(trained, gradients, strict=True))
