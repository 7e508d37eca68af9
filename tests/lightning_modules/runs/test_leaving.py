"""Whatever signal asks a command to leave, and whenever: what there is to keep is kept, and the exit code says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch

from lightning_modules.cli import training
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.run_checkpoint import RunCheckpoint
from lightning_modules.runs.run_directory import alone_in
from lightning_modules.tasks.task import SequenceTask
from tests.lightning_modules.small_runs import Fit, assert_equal, end_of, only_run
from tnqrnn import signals
from tnqrnn.__main__ import main as program

# Which call of what the signal comes in; the small run has two epochs of five steps, with two batches of validation
# after each, and two of the test. "saved": after which step `last.ckpt` was written then.
MOMENTS: dict[str, tuple[Any, str, int, int]] = {
    "start": (RunCheckpoint, "on_fit_start", 1, 0),
    "step": (SequenceTask, "training_step", 8, 8),
    "last step of an epoch": (SequenceTask, "training_step", 5, 5),
    "last step of all": (SequenceTask, "training_step", 10, 10),
    "validation": (SequenceTask, "validation_step", 1, 5),
    "last validation": (SequenceTask, "validation_step", 4, 10),
    "test": (SequenceTask, "test_step", 1, 10),
}


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Listen as the program does; also where pytest itself was told to ignore interrupts, as a background job is."""
    monkeypatch.setattr(signals, "_end", lambda number: pytest.fail("the process would have ended"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def signalled(real: Callable[..., Any], number: int, times: int) -> Callable[..., Any]:
    """Return `real`, in whose n-th call this process gets a signal."""
    calls = []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        if len(calls) == times:
            os.kill(os.getpid(), number)
        return real(*args, **kwargs)

    return call


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a place for the end of an undisturbed run."""
    return {}


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        *(("SIGTERM", moment) for moment in MOMENTS),
        ("SIGINT", "step"),
        ("SIGINT", "validation"),
        ("SIGUSR1", "step"),
    ],
)
def test_a_training_saves_and_leaves(
    name: str,
    moment: str,
    listening: None,
    fit: Fit,
    whole: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not whole:
        assert fit(runs="whole") == 0
        whole |= end_of(tmp_path / "whole")
    number = signal.Signals[name]
    owner, method, times, saved = MOMENTS[moment]
    capsys.readouterr()
    with monkeypatch.context() as patch, signals.listening():
        patch.setattr(owner, method, signalled(getattr(owner, method), number, times))
        assert fit() == 128 + number
    captured = capsys.readouterr()
    assert captured.err == f"stopped after step {saved}, told by {name}.\n"
    run = only_run(tmp_path / "runs")
    kept = f"{run} is saved after step {saved}" if saved else "nothing to save yet"
    assert f"told to leave: {kept}; the same command goes on with the run\n" in captured.out
    assert not (run / "result.json").exists()
    if saved:
        assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == saved
    torch.manual_seed(99)  # a new process is in another random state
    assert fit() == 0
    assert_equal(end_of(tmp_path / "runs"), whole, moment)


def test_a_signal_while_the_result_is_written_comes_too_late_to_lose_it(
    listening: None, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with signals.listening():
        monkeypatch.setattr(training, "write_json", signalled(training.write_json, signal.SIGTERM, 2))
        assert fit() == 143
    run = only_run(tmp_path / "runs")
    assert capsys.readouterr().err == f"told by SIGTERM to leave: {run} is done.\n"
    assert (run / "result.json").exists()


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_where_nobody_listens_a_run_that_did_not_finish_is_no_success_either(
    name: str,
    code: int,
    fit: Fit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    listening: None,
) -> None:
    step = signalled(SequenceTask.training_step, signal.Signals[name], 2)
    monkeypatch.setattr(SequenceTask, "training_step", step)
    try:
        assert fit() == code
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning leaves it ignored
    run = only_run(tmp_path / "runs")
    assert capsys.readouterr().err == f"interrupted by {name}; the same command goes on with {run}.\n"
    assert not (run / "result.json").exists()


def test_what_works_in_a_folder_is_unwound(listening: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tidied = []

    def study() -> None:
        with alone_in(tmp_path, "a study", "wait"):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                tidied.append("not reached")
            finally:
                os.kill(os.getpid(), signal.SIGTERM)  # another one does not interrupt the tidying
                tidied.append("tidied")

    with signals.listening():
        signals.advise("what was measured is kept")
        assert exit_code(study) == 143
    assert tidied == ["tidied"]
    assert capsys.readouterr().err == "interrupted by SIGTERM; what was measured is kept.\n"
    assert not list(tmp_path.iterdir())


def ends(code: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a Python program."""
    start = "import os, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-c", start + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.timeout(300)  # imports on a busy machine
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_during_imports_ends_without_a_traceback(name: str, code: int) -> None:
    told = ends(
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'pytorch_lightning': os.kill(os.getpid(), signal.{name})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from tnqrnn.__main__ import main\n"
        "main(['fit', '--config', 'digits', '--runs', '/dev/null/runs'])\n"
    )
    assert told == (code, "", f"interrupted by {name}; the same command goes on with what the run has saved.\n")


@pytest.mark.timeout(300)
def test_a_second_interrupt_ends_at_once() -> None:
    told = ends(
        "from tnqrnn import signals\n"
        "with signals.listening(), signals.postponing():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('goes on', signals.asked(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('not reached', flush=True)\n"
    )
    assert told == (130, "goes on 2\n", "")


def test_an_ignored_interrupt_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup and the background jobs of scripts have it
    try:
        with signals.listening(), signals.postponing():
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.asked() is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_program_runs_in_a_thread_and_leaves_the_signals_of_the_main_one_alone() -> None:
    codes: list[int] = []
    handlers = [signal.getsignal(number) for number in signals.SIGNALS]
    thread = Thread(target=lambda: codes.append(program(["slurm-script", "--config", "digits", "--time", "soon"])))
    thread.start()
    thread.join()
    assert codes == [2]
    assert program(["--help"]) == 0
    assert [signal.getsignal(number) for number in signals.SIGNALS] == handlers
