"""`create_backend`: backends by name."""

from __future__ import annotations

import inspect
from typing import Any

from backends.base import Backend
from backends.circuit import Circuit
from backends.errors import require_choice
from backends.mps.backend import MPSBackend
from backends.statevector.backend import StatevectorBackend

BACKENDS: dict[str, type[Backend[Any]]] = {backend.name: backend for backend in (StatevectorBackend, MPSBackend)}


def backend_options(name: str) -> list[str]:
    """Return the names of the options that the backend called `name` takes; refuses an unknown name."""
    backend = BACKENDS[require_choice("create_backend", "backend", name, BACKENDS)]
    return [option for option in inspect.signature(backend).parameters if option != "circuit"]


def create_backend(name: str, circuit: Circuit, **options: Any) -> Backend[Any]:
    """Return the backend called `name` ("statevector" or "mps") for a circuit.

    `options` are the keyword arguments of the backend's class, e.g. `max_bond=16` for "mps" and
    `dtype=torch.complex128` for both. Raises InvalidInput on an unknown name or option, naming the nearest.
    """
    known = backend_options(name)
    for option in options:
        require_choice(f"create_backend('{name}')", "option", option, known)
    return BACKENDS[name](circuit, **options)
