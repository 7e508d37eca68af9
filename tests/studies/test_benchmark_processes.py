"""Processes against threads: what is compared, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from studies.benchmark import processes

ASKED = ["--config", "digits", "--model.n_qubits", "2", "--data.batch_size", "32"]


def test_the_two_take_turns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    turns = []

    def rate(count: int, threads: int, steps: int, arguments: Sequence[str]) -> float:
        assert list(arguments) == ASKED
        turns.append((count, threads))
        return 3.0 * count if count > 1 else 4.0

    monkeypatch.setattr(processes, "steps_per_second", rate)
    assert processes.main([*ASKED, "--processes", "3", "--repeats", "2"]) == 0
    assert turns == [(3, 1), (1, 3)] * 2
    assert capsys.readouterr().out.splitlines()[-1].split() == ["ratio", "2.25"]


@pytest.mark.slow
def test_real_steps_are_counted() -> None:
    assert processes.steps_per_second(2, 1, 3, ASKED) > 0


@pytest.mark.parametrize("wrong", [["--processes", "0"], ["--steps", "x"], ["--repeats", "-1"]])
def test_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert processes.main([*ASKED, *wrong]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
