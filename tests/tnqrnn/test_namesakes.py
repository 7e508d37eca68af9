"""Other packages with the names of ours, in the working directory, are named instead of taken for ours."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from studies.engine.slurm import new_executor
from studies.slurm_script import script
from tnqrnn.namesakes import PACKAGES, children_without_working_directory

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=PACKAGES)
def decoy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with a package of that name in a folder of its own."""
    folder = tmp_path / request.param
    folder.mkdir()
    (folder / "__init__.py").touch()
    return folder


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that finds our packages by PYTHONPATH, which comes after the working directory."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    settings = {**kept, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, timeout=240, check=False)


def test_the_command_line_names_the_folder(decoy: Path) -> None:
    done = run(sys.executable, "-m", "tnqrnn", "--help", cwd=decoy.parent)
    assert done.returncode == 2
    [sentence] = done.stderr.splitlines()
    assert f"{decoy} hides the package '{decoy.name}'" in sentence


def test_a_module_hides_as_a_folder_does(tmp_path: Path) -> None:
    (tmp_path / "studies.py").touch()
    done = run(sys.executable, "-m", "tnqrnn", "--help", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'studies.py'} hides" in done.stderr


def test_a_name_of_the_library_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends" / "__init__.py").touch()
    done = run(sys.executable, "-c", "from tnqrnn import QRNN", cwd=tmp_path)
    assert f"HiddenPackage: tnqrnn: {tmp_path / 'backends'} hides" in done.stderr.splitlines()[-1]


def test_the_library_leaves_a_users_studies_alone(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "__init__.py").write_text("mine = 1")
    done = run(sys.executable, "-c", "import studies, tnqrnn; tnqrnn.QRNN; print(studies.mine)", cwd=tmp_path)
    assert done.stdout == "1\n"


def test_a_batch_script_does_not_see_the_folder(decoy: Path) -> None:
    [started] = [
        line for line in script(["--config", "digits", "--time", "60"]).splitlines() if line.startswith("srun")
    ]
    words = shlex.split(started)
    interpreter = words[words.index(sys.executable) : words.index("fit")]
    done = run(*interpreter, "--version", cwd=decoy.parent)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_studys_batch_script_does_not_see_the_folder(decoy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where SLURM is told not to hand variables on."""
    for program in ("srun", "sbatch"):
        (decoy.parent / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(decoy.parent), prepend=os.pathsep)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.chdir(decoy.parent)
    with children_without_working_directory():
        executor = new_executor(decoy.parent, 1, {})
    python = shlex.split(executor._executor.python)
    done = run(*python, "-c", f"import {decoy.name}; print({decoy.name}.__file__)", cwd=decoy.parent)
    assert done.stdout.strip() == str(ROOT / decoy.name / "__init__.py")


def test_torchrun_can_be_told_not_to_see_the_folder(decoy: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"]
    done = run(*torchrun, "-m", "tnqrnn", "--version", cwd=decoy.parent, PYTHONSAFEPATH="1")
    assert (done.returncode, done.stdout[:7]) == (0, "tnqrnn ")


def test_pythons_that_a_command_starts_do_not_see_the_folder(decoy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(decoy.parent)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    where = f"import {decoy.name}; print({decoy.name}.__file__)"
    with children_without_working_directory():
        done = run(sys.executable, "-c", where, cwd=decoy.parent, **os.environ)
    assert done.stdout.strip() == str(ROOT / decoy.name / "__init__.py")
    assert "PYTHONSAFEPATH" not in os.environ


def test_a_checkout_that_is_not_installed_finds_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with children_without_working_directory():
        assert "PYTHONSAFEPATH" not in os.environ
