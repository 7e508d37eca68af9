"""Small fits, and a way to kill one at a chosen step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_modules.cli.cli import main
from lightning_modules.tasks.task import SequenceTask
from tests.lightning_modules.small_runs import SMALL, Fit, KillAt, Killed


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    """Return a function that runs a small fit in `tmp_path/runs` (or `runs`) with further arguments."""

    def run(*arguments: str, runs: str = "runs") -> int:
        return main(["fit", *SMALL, "--runs", str(tmp_path / runs), *arguments])

    return run


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> KillAt:
    """Return a function that makes training die when it is about to take optimiser step `step`; -1 lets it live."""
    real = SequenceTask.training_step
    at = [-1]

    def step(self: SequenceTask, *args: Any, **kwargs: Any) -> Any:
        if self.global_step == at[0]:
            raise Killed
        return real(self, *args, **kwargs)

    monkeypatch.setattr(SequenceTask, "training_step", step)
    return lambda value: at.__setitem__(0, value)
