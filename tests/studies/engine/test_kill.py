"""A study that is killed at random moments ends with the same table as one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import psutil
import pytest

from tests.studies.engine.squares.command import STUDY

GRID = ["--number", *(str(number) for number in range(1, 9)), "--pause", "0.3"]
TIMINGS = ["seconds"]


def start(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.studies.engine.squares", "--out", str(out), "--jobs", "2", *GRID]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def results(out: Path) -> int:
    return len(list(out.glob("cells/*/result.json")))


def killed(out: Path, patience: float) -> list[psutil.Process]:
    """Kill the command some time after it finished another cell, and return what it had started."""
    process, before = start(out), results(out)
    while results(out) == before and process.poll() is None:
        time.sleep(0.02)
    time.sleep(patience)
    started = [] if process.poll() is not None else psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return started


def kill_and_compare(tmp_path: Path, kills: int) -> None:
    assert STUDY.main(["--out", str(tmp_path / "alone"), "--executor", "debug", "--jobs", "1", *GRID]) == 0
    out, moments = tmp_path / "out", random.Random(0)
    started = [process for _ in range(kills) for process in killed(out, moments.uniform(0, 1))]
    assert started
    # What the killed command had started ends by itself, and soon.
    assert not psutil.wait_procs(started, timeout=30)[1]
    process = start(out)
    assert process.wait() == 0
    alone, after = (pandas.read_csv(folder / "cells.csv").drop(columns=TIMINGS) for folder in (tmp_path / "alone", out))
    pandas.testing.assert_frame_equal(alone, after)


@pytest.mark.timeout(300)  # processes of its own, and a busy machine
def test_a_killed_study_ends_with_the_same_table(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_killed_ten_times_ends_with_the_same_table(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, 10)
