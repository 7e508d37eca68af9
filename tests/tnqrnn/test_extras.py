"""A model needs none of the extras, loads little, and what needs one says so in one sentence."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from backends.errors import InvalidInput
from tnqrnn.__main__ import COMMANDS, main
from tnqrnn.extras import EXTRAS, MissingExtra, require_extra

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Nothing of an extra is installed, as far as Python can tell.
BARE = f"""
import sys
for name in {sorted({name for names in EXTRAS.values() for name in names})}:
    sys.modules[name] = None
"""
MODEL = """
import torch
from tnqrnn import QRNN, Ansatz

def train(**settings):
    z, state = QRNN(input_size=2, ansatz=Ansatz(n_qubits=3), **settings)(torch.randn(2, 4, 2))
    z.sum().backward()

train()
train(backend="mps", backend_options={"max_bond": 2})
"""
LOADED = "\nimport sys; print(*sys.modules)"


def python(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def modules_of(requirements: list[str]) -> set[str]:
    """Return the top-level modules of the distributions that are required, but for our own extras."""
    names = {re.split(r"[\[>]", requirement)[0].lower() for requirement in requirements} - {"tnqrnn"}
    provided = importlib.metadata.packages_distributions()
    return {module for module, by in provided.items() if names & {name.lower() for name in by}}


def test_the_modules_are_those_that_the_project_names() -> None:
    extras = PROJECT["optional-dependencies"]
    train = set(EXTRAS["train"])
    for extra, listed in EXTRAS.items():
        own = set(listed) - (set() if extra == "train" else train)
        assert own <= modules_of(extras[extra])
        for requirement in extras[extra]:
            assert requirement == "tnqrnn[train]" or modules_of([requirement]) & own, requirement
        assert extra == "train" or "tnqrnn[train]" in extras[extra]


def test_a_model_loads_little() -> None:
    done = python("from tnqrnn import QRNN" + LOADED + MODEL + LOADED)
    assert done.returncode == 0, done.stderr
    imported, run = (set(line.split()) for line in done.stdout.splitlines())
    unwanted = {"autoray", "cotengra", "quimb", *(name for names in EXTRAS.values() for name in names)}
    unwanted -= {"yaml"}  # Numba reads its settings with it, where it is installed
    assert {"torch", "numba", "backends.mps.backend"} <= imported <= run
    assert imported & (unwanted | {"scipy.linalg"}) == set()  # which Numba asks for BLAS, once a kernel runs
    assert run & unwanted == set()


def test_a_model_needs_no_extra() -> None:
    done = python(BARE + MODEL)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_and_version_need_no_extra() -> None:
    for argument in ("--help", "--version"):
        done = python(f"{BARE}\nfrom tnqrnn.__main__ import main\nsys.exit(main([{argument!r}]))")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_the_extra(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = "train" if command in {"fit", "validate", "test"} else "studies"
    for missing in EXTRAS[extra]:
        with monkeypatch.context() as hidden:
            hidden.setitem(sys.modules, missing, None)
            assert main([command, "--help"]) == 2
        assert capsys.readouterr().err == (
            f"tnqrnn {command} needs the package '{missing}'; install it with pip install 'tnqrnn[{extra}]'.\n"
        )


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("lightning_modules.data.loaders", "train"),
        ("lightning_modules.runs.run_directory", "train"),
        ("lightning_modules.tasks.registry", "train"),
        ("studies.saved", "studies"),
    ],
)
def test_a_module_names_the_extra(module: str, extra: str) -> None:
    done = python(f"{BARE}\nimport {module}")
    assert re.search(rf"MissingExtra: \w+ needs the packages .*'tnqrnn\[{extra}\]'\.$", done.stderr.strip())


def test_what_is_installed_is_accepted() -> None:
    for extra in EXTRAS:
        require_extra(extra, "this test")


def test_a_missing_extra_is_a_refused_request_and_an_import_that_failed() -> None:
    assert issubclass(MissingExtra, ImportError)
    assert issubclass(MissingExtra, InvalidInput)
