"""Whether the packages beside this one are ours, or others of the same name hide them.

Python looks for modules in the working directory first (`python -m tnqrnn`, `torchrun -m tnqrnn`). A folder `backends`
or `studies` with an `__init__.py` there is taken for ours, and what follows is an error about a name that it lacks.
Imports nothing of ours: that may be what is hidden.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("backends", "lightning_modules", "studies")
_HERE = Path(__file__).resolve().parent.parent


class HiddenPackage(ImportError):
    """Another package of the same name hides one of ours; the message is one sentence for the user."""


def require_ours(*packages: str) -> None:
    """Refuse to go on where other packages hide `packages`.

    Raises:
        HiddenPackage: One does.
    """
    for name in packages:
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin is not None else Path("(no file)")
        if found != _HERE / name / "__init__.py":
            place = found.parent if found.name == "__init__.py" else found
            raise HiddenPackage(
                f"tnqrnn: {place} hides the package {name!r} that belongs to tnqrnn; rename it, start in another "
                "folder, or set PYTHONSAFEPATH=1 (python -P), which leaves the working directory out."
            )


@contextmanager
def children_without_working_directory() -> Iterator[None]:
    """Let the Pythons started inside not look for modules in the working directory, as we need not either.

    Not where our own packages lie in it, a checkout that was never installed: they would not be found.
    """
    if Path.cwd().resolve() == _HERE or "PYTHONSAFEPATH" in os.environ:
        yield
        return
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]


def python_of_scripts() -> str:
    """Return how a batch script starts Python, where a site may not hand environment variables on to its jobs.

    Inside `children_without_working_directory`; as this process was started where our packages lie in the folder.
    """
    return shlex.quote(sys.executable) + (" -P" if "PYTHONSAFEPATH" in os.environ else "")
