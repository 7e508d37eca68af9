"""A cluster for the whole session, and small runs to put on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.onebox import OneBox, running, what_is_missing

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def onebox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneBox]:
    """Return a running cluster of two nodes."""
    if reason := what_is_missing():
        pytest.skip(reason)
    with running(
        tmp_path_factory.mktemp("slurm") / "box", path=[ROOT, *(Path(path) for path in sys.path if path)]
    ) as box:
        yield box


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started here is not part of a job that the tests themselves may run in."""
    for name in os.environ:
        if name.startswith(("SLURM_", "SBATCH_")):
            monkeypatch.delenv(name)
