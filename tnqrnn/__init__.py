"""Quantum recurrent neural networks on an exact statevector or a truncated matrix product state.

The public names are those of `facade.py`. They are imported when the first of them is asked for, because torch and
numba take seconds, which `tnqrnn --help` need not wait for.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tnqrnn.facade import *  # noqa: F403

try:
    __version__ = version("tnqrnn")
except PackageNotFoundError:  # used from a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    from importlib import import_module
    from importlib.util import find_spec

    from tnqrnn.namesakes import require_ours

    if find_spec(f"tnqrnn.{name}") is not None:  # `from tnqrnn import signals` asks here first
        raise AttributeError(name)

    require_ours("backends")
    return getattr(import_module("tnqrnn.facade"), name)
