"""Several processes learn what one process learns from the same batches, however they were started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightning_modules.cli.cli import main
from tests.slurm.onebox import OneBox
from tests.slurm.runs import FITS, curve, fit_into, results, the_run

SAME = 1e-5  # single precision sums in another order
SEVERAL_FITS = [sys.executable, str(Path(__file__).with_name("several_fits.py"))]

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train everything in one process, and return the folder of the runs."""
    root = tmp_path_factory.mktemp("alone")
    for name in FITS:
        assert main(["fit", *fit_into(root, name)]) == 0
    return root


def arguments(root: Path, names: Sequence[str]) -> str:
    return json.dumps([fit_into(root, name) for name in names])


def assert_same(root: Path, alone: Path, names: Sequence[str]) -> None:
    """The same files, the same curve, the same test."""
    for name in names:
        found, expected = curve(root / name), curve(alone / name)
        assert found.keys() == expected.keys()
        assert {"train_loss_step", "train_loss", "val_loss"} <= {what for _, what in found}
        assert found == pytest.approx(expected, rel=SAME, abs=SAME), name
        assert results(root / name) == pytest.approx(results(alone / name), rel=SAME, abs=SAME), name
        run, like = the_run(root / name), the_run(alone / name)
        assert run.name == like.name
        assert {path.name for path in run.iterdir()} == {path.name for path in like.iterdir()}
        assert json.loads((run / "env.json").read_text())["processes"] == 2
        if name == "translation":
            assert (run / "translations.json").read_text() == (like / "translations.json").read_text()


def test_two_nodes(onebox: OneBox, alone: Path, tmp_path: Path) -> None:
    names = ("statevector", "mps")
    srun = ["srun", "--nodes=2", "--ntasks=2", "--kill-on-bad-exit=1"]
    told = onebox.run([*srun, *SEVERAL_FITS, arguments(tmp_path, names)], timeout=800)
    assert told.count("2 processes on 2 nodes") == len(names)
    assert told.count("parameters") == len(names)  # one of the processes speaks
    assert_same(tmp_path, alone, names)


def test_torchrun(alone: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [*torchrun, SEVERAL_FITS[1], arguments(tmp_path, list(FITS))]
    done = subprocess.run(command, env=environment, check=False, timeout=800, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same(tmp_path, alone, list(FITS))
