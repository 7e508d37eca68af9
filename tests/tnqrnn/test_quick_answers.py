"""What needs no computation is said at once: without torch, numba and Lightning, which take seconds to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import backends
import tnqrnn

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from tnqrnn.__main__ import main
code = main(sys.argv[1:])
slow = {"numba", "numpy", "pytorch_lightning", "quimb", "torch"} & sys.modules.keys()
print("LOADED", code, sorted(slow))
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("", 0),
        ("--help", 0),
        ("--version", 0),
        ("fitt", 2),
        ("fit --config digit", 2),
        ("study", 0),
        ("study taks", 2),
    ],
)
def test_answered_without_slow_imports(arguments: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"LOADED {code} []"


@pytest.mark.parametrize("package", [backends, tnqrnn])
def test_every_public_name_is_there(package: object) -> None:
    for name in package.__all__:  # type: ignore[attr-defined]
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing  # type: ignore[attr-defined]
