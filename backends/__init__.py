"""Simulation of recurrent quantum circuits: one interface, an exact and a truncated implementation.

The public names are those of `facade.py`. They are imported when the first of them is asked for, because torch and
numba take seconds, which `backends.errors` alone, and with it `tnqrnn --help`, need not wait for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backends.facade import *  # noqa: F403


def __getattr__(name: str) -> Any:
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec(f"backends.{name}") is not None:  # `from backends import errors` asks here first
        raise AttributeError(name)
    return getattr(import_module("backends.facade"), name)
