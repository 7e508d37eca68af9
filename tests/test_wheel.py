"""The wheel is complete: installed into an environment of its own, it runs from a folder that knows nothing of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("backends", "tnqrnn", "lightning_modules", "studies")

REPORT = """
import importlib, importlib.resources, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    assert importlib.resources.files(name).joinpath("py.typed").is_file(), name
    print(name, module.__file__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """What the command prints; a failure shows both streams. PYTHONPATH and its like are not handed on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: setuptools would also pack what an old `build/` folder still holds."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, source, cwd=source)
    [built] = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel in it, and the third-party packages of the running one behind it."""
    venv = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(venv), "platbase": str(venv)}))
    install = ("-m", "pip", "--python", venv / "bin" / "python", "install", "--quiet", "--no-deps", "--no-index")
    run(sys.executable, *install, wheel, cwd=venv)
    # A folder named in a .pth is searched, but its own .pth files are not read: our editable install stays outside.
    behind = [entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]
    (site / "dependencies.pth").write_text("\n".join(behind) + "\n", encoding="utf-8")
    return venv


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A working folder outside the repository."""
    return tmp_path


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("[!.]*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed
    assert any(name.startswith("lightning_modules/configs/") for name in packed)
    assert any(name.startswith("studies/conf/") for name in packed)


def test_the_packages_are_imported_from_the_wheel(environment: Path, elsewhere: Path) -> None:
    printed = run(environment / "bin" / "python", "-P", "-c", REPORT, *PACKAGES, cwd=elsewhere)
    places = dict(line.split(" ", 1) for line in printed.splitlines())
    assert set(places) == set(PACKAGES)
    for place in places.values():
        assert Path(place).is_relative_to(environment), place


def test_the_command_line_starts(environment: Path, elsewhere: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    command = environment / "bin" / "tnqrnn"
    assert "usage" in run(command, "--help", cwd=elsewhere).lower()
    program = "from importlib.metadata import version; print(version('tnqrnn'))"
    assert run(environment / "bin" / "python", "-P", "-c", program, cwd=elsewhere).strip() == version
