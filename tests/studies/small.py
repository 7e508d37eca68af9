"""What the tests of the studies share: small trainings, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tnqrnn.__main__ import main

# One step of a small model, and the whole test set as one batch.
FLAGS = (
    "--model.controller_width 4 --data.batch_size 360 --trainer.limit_train_batches 1 --trainer.limit_val_batches 1 "
    "--trainer.limit_test_batches 1"
)
GRID_OUTPUT = {"study.json", "cells", "cells.csv", "report.html", "report.md"}


def refused_by(
    study: str, arguments: list[str], mentions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Assert that a study refuses arguments in one sentence before anything is written."""
    out = tmp_path / "out"
    capsys.readouterr()
    assert main(["study", study, *arguments, "--out", str(out)]) == 2
    told = capsys.readouterr().err.strip()
    assert mentions in told
    assert "\n" not in told
    assert not out.exists()
