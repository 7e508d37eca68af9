"""`create_backend`: backends by name."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from backends.base import Backend
from backends.choice import choose
from backends.circuits.circuit import Circuit
from backends.errors import require_choice, require_positive_int
from backends.mps.backend import MPSBackend
from backends.statevector.backend import StatevectorBackend

BACKENDS: dict[str, type[Backend[Any]]] = {backend.name: backend for backend in (StatevectorBackend, MPSBackend)}


AUTO = "auto"
# What `auto` is told of the training it chooses for.
_HINTS = {"batch_size": 32, "timesteps": 64}


def backend_options(name: str) -> list[str]:
    """Return the names of the options that the backend called `name` takes; refuses an unknown name."""
    require_choice("create_backend", "backend", name, [*BACKENDS, AUTO])
    if name == AUTO:
        return list(dict.fromkeys([*(option for known in BACKENDS for option in backend_options(known)), *_HINTS]))
    return [option for option in inspect.signature(BACKENDS[name]).parameters if option != "circuit"]


def create_backend(name: str, circuit: Circuit, **options: Any) -> Backend[Any]:
    """Return the backend called `name` for a circuit: "statevector", "mps", or "auto", which chooses one of them.

    `options` are the keyword arguments of the backend's class, e.g. `max_bond=16` for "mps" and
    `dtype=torch.complex128` for both. "auto" takes the options of both, and `batch_size` (32) and `timesteps` (64) of
    the training it should choose for; the result's `choice` says why it was chosen (see `choice`).
    Raises InvalidInput on an unknown name or option, naming the nearest.
    """
    known = backend_options(name)
    for option in options:
        require_choice(f"create_backend('{name}')", "option", option, known)
    if name != AUTO:
        return BACKENDS[name](circuit, **options)
    hints = {
        hint: require_positive_int("create_backend('auto')", hint, options.pop(hint, size))
        for hint, size in _HINTS.items()
    }
    # Both are built, so that a wrong option is refused whichever is chosen; nothing large is allocated.
    built = {
        backend: kind(circuit, **{option: options[option] for option in options if option in backend_options(backend)})
        for backend, kind in BACKENDS.items()
    }
    max_bond = getattr(built["mps"], "max_bond", None)
    choice = choose(circuit, max_bond, dtype=options.get("dtype", torch.complex64), **hints)
    chosen = built[choice.name]
    chosen.choice = f"{choice.name}: {choice.reason}"
    return chosen
