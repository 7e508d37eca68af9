"""Compiled kernels on disk: found again only by all that they were made from, and never in the package."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numba as nb
import numpy as np
import pytest

import backends
from backends.kernels import machine_code as machine_code
from backends.kernels import threads
from backends.kernels.machine_code import KernelCache, digest_of_sources, is_stamped, stamp

PACKAGE = Path(backends.__file__).parent
# The first function of the kernel, which loads a sample of (3, 3), (3, 3), ... into rows of zeros. Its loop is an
# operation of another file, tiles.py. Printed: the first number, and whether machine code was found on disk.
LOAD = """
import numpy as np
from backends.statevector import kernel
from backends.kernels.emitting import Parts
from backends.kernels.vectors import LANES
psi = Parts(np.zeros((64, LANES), np.float32), np.zeros((64, LANES), np.float32))
kernel.load(0, 64, None, np.full((1, 64, 2), 3, np.float32), 0, psi)
print(psi.re[0, 0], kernel.load.stats.cache_hits.total())
"""


def load(checkout: Path, cache: Path) -> str:
    environment = {**os.environ, "TNQRNN_CACHE": str(cache), "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", LOAD]
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=True, timeout=200
    ).stdout.strip()


def test_a_change_in_an_inner_file_is_seen(tmp_path: Path) -> None:
    cache, checkout = tmp_path / "cache", tmp_path / "checkout"
    shutil.copytree(PACKAGE, checkout / "backends", ignore=shutil.ignore_patterns("__pycache__"))
    inner, outer = checkout / "backends/kernels/tiles.py", checkout / "backends/statevector/kernel.py"
    whole = inner.read_text()
    assert load(PACKAGE.parent, cache) == "3.0 0"
    assert load(checkout, cache) == "3.0 1"  # the same files elsewhere: the same machine code
    inner.write_text(whole + "\n\nload_rows = store_rows\n")  # which leaves the rows as they are
    assert load(checkout, cache) == "0.0 0"
    inner.write_text(whole)
    outer.write_text(outer.read_text() + "\n# a comment\n")
    assert load(checkout, cache) == "3.0 0"
    assert not list(checkout.rglob("*.nb?"))  # Numba's own files, beside the sources


def test_every_file_of_the_kernels_counts(tmp_path: Path) -> None:
    for name in ("kernels", "statevector", "mps/kernel"):
        shutil.copytree(PACKAGE / name, tmp_path / name)
    unchanged = digest_of_sources(tmp_path)
    assert unchanged == digest_of_sources(PACKAGE)
    for file in sorted(tmp_path.rglob("*.py")):
        contents = file.read_text()
        file.write_text(contents + " ")
        assert digest_of_sources(tmp_path) != unchanged, file
        file.write_text(contents)
    (tmp_path / "mps" / "kernel" / "new.py").touch()
    assert digest_of_sources(tmp_path) != unchanged


def test_kernels_are_made_from_these_files_alone() -> None:
    """A kernel that took a constant from elsewhere in the package would go on with the old one."""
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        if re.search(r"^from (numba|llvmlite|backends\.kernels\.compiling)\b.* import (?!Event)", text, re.M):
            imported = re.findall(r"^from backends\.([\w.]+) import", text, re.M)
            outside = [name for name in imported if not name.startswith(("kernels", "statevector", "mps.kernel"))]
            assert not outside or file.name in ("machine_code.py",), f"{file} takes from {outside}"


def test_the_stamp_knows_compilers_settings_and_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {stamp("sources", ("x86_64", "znver4", "+avx512f"))}
    known |= {stamp("others", ("x86_64", "znver4", "+avx512f")), stamp("sources", ("x86_64", "znver4", ""))}
    for module in ("numba", "llvmlite", "numpy"):
        with monkeypatch.context() as patch:
            patch.setattr(f"backends.kernels.machine_code.{module}.__version__", "0")
            known.add(stamp("sources", ("x86_64", "znver4", "+avx512f")))
    with monkeypatch.context() as patch:
        patch.setattr("backends.kernels.machine_code.platform.python_version", lambda: "0")
        known.add(stamp("sources", ("x86_64", "znver4", "+avx512f")))
    monkeypatch.setattr("numba.config.BOUNDSCHECK", 1)
    known.add(stamp("sources", ("x86_64", "znver4", "+avx512f")))
    assert len(known) == 8


def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of machine code, in place of the stamp's: the function is one of these tests."""
    monkeypatch.setattr(machine_code, "_folder", lambda target: tmp_path / "kernels")
    return tmp_path / "kernels"


def hits_of_a_fresh_process() -> int:
    """Call a function as a process does that has not called it before; how often it was found on disk."""
    compiled = nb.njit(double)
    compiled._cache = KernelCache(double)
    assert compiled(21) == 42
    return int(compiled.stats.cache_hits.total())


def test_a_damaged_file_is_compiled_again(folder: Path) -> None:
    assert hits_of_a_fresh_process() == 0
    assert hits_of_a_fresh_process() == 1
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    for damaged in (b"", whole[:-1], whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]):
        file.write_bytes(damaged)
        assert hits_of_a_fresh_process() == 0
        assert hits_of_a_fresh_process() == 1
    assert list(folder.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_is_no_obstacle(folder: Path) -> None:
    folder.touch()  # a file where the folder should be
    assert hits_of_a_fresh_process() == 0
    assert hits_of_a_fresh_process() == 0


def test_argument_types_have_a_file_each(folder: Path) -> None:
    """Processes that compile at once for other precisions cannot load each other's code."""
    compiled = nb.njit(double)
    compiled._cache = KernelCache(double)
    assert [compiled(2), compiled(np.float32(0.5)), compiled(0.25)] == [4, 1.0, 0.5]
    assert len(list(folder.iterdir())) == 3


def test_functions_outside_the_stamp_are_not_kept() -> None:
    assert not is_stamped(double)
    assert is_stamped(backends.statevector.kernel.load.py_func)


def test_stamps_that_are_not_used_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TNQRNN_CACHE", str(tmp_path))
    kernels = tmp_path / "kernels"
    (kernels / "mine").mkdir(parents=True)
    now = time.time()
    for days in range(20):
        old = kernels / f"{days:032x}"
        old.mkdir()
        os.utime(old, (now, now - 86400 * days))
    os.utime(kernels / "mine", (0, 0))
    this = machine_code._folder.__wrapped__(("x86_64",))
    assert {path.name for path in kernels.iterdir()} == {"mine", this.name, *[f"{days:032x}" for days in range(15)]}


def test_no_kernel_is_promised_that_nan_and_infinity_never_occur() -> None:
    """LLVM may then answer anything where they do."""
    for module in (backends.statevector.kernel, backends.kernels.atoms, backends.mps.kernel.timestep):
        flags = [getattr(f, "targetoptions", {}).get("fastmath", False) for f in vars(module).values()]
        assert all(flag is False or not {"nnan", "ninf", "fast"} & set(flag) for flag in flags), module


# What the user is told.


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(threads, "_tell", threads._tell.__wrapped__)  # which says it once in a process
    caplog.set_level(logging.WARNING, logger="tnqrnn")
    return caplog


@pytest.mark.usefixtures("folder")
def test_compiling_is_announced_and_loading_is_not(
    told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(double, "__module__", "backends.statevector.kernel")
    for what, announced in (("compiles", 1), ("loads", 0)):
        told.clear()
        with threads.compiling_alone(what, np.float32, "statevector", 15):
            hits_of_a_fresh_process()
        assert len(told.messages) == announced
        if announced:
            assert told.messages == ["compiling the statevector kernel: some 15 s, once for all circuits"]


def test_without_a_cache_nothing_is_once(
    told: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TNQRNN_CACHE", str(tmp_path / "file" / "below"))
    threads._tell("statevector", 15)
    (message,) = told.messages
    assert "once" not in message
    assert f"in every process, because the cache folder {tmp_path / 'file' / 'below'} cannot be written" in message
    assert "set TNQRNN_CACHE" in message
