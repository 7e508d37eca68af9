"""Processes that start at once with an empty cache compile the kernel one after the other, and all go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import backends.cache
from backends.cache import cache_root, one_at_a_time

INSIDE = """
import importlib.util, time
spec = importlib.util.spec_from_file_location("cache", {file!r})  # without torch, which takes seconds
cache = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cache)
with cache.one_at_a_time("kernel"):
    print(time.monotonic(), flush=True)
    time.sleep(0.3)
    print(time.monotonic(), flush=True)
"""


def start(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "TNQRNN_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", INSIDE.format(file=backends.cache.__file__)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_take_turns(tmp_path: Path) -> None:
    spans = sorted(tuple(map(float, process.communicate()[0].split())) for process in [start(tmp_path) for _ in "ab"])
    assert spans[0][1] <= spans[1][0]


def test_a_killed_process_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    monkeypatch.setenv("TNQRNN_CACHE", str(tmp_path))
    started = time.monotonic()
    with one_at_a_time("kernel"):
        pass
    assert time.monotonic() - started < 60  # it would wait for ever


def test_a_cache_that_cannot_be_written_is_no_reason_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TNQRNN_CACHE", str(tmp_path / "file"))
    entered = False
    with one_at_a_time("kernel"):
        entered = True
    assert entered
    assert cache_root() == tmp_path / "file"
