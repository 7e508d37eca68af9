"""Wrong requests of the commands beside fit: one sentence and exit code 2, before anything is measured or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tnqrnn.__main__ import main

HUGE = "1" + 15 * "0"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("compare --config digits --out /proc/foo", "--out: cannot write into '/proc/foo'"),
        ("compare --config digits --runs /proc/foo", "--runs: cannot write into '/proc/foo/"),
        ("compare --config digits --model.n_qubits 1000000", "n_qubits must be at most"),
        ("compare --config digits --trainer.accelerator tpu", "torch_xla"),
        ("benchmark --out /proc/foo", "--out: cannot write into '/proc/foo'"),
        (f"benchmark --qubits 4 --batch {HUGE}", "tnqrnn benchmark: the angles need"),
        (f"benchmark --qubits 4 --timesteps {HUGE}", "tnqrnn benchmark: the angles need"),
        (f"benchmark --qubits 4 --layers {HUGE}", "tnqrnn benchmark: the angles need"),
        (f"benchmark --backend mps --qubits {HUGE}", "tnqrnn benchmark: the angles need"),
        ("study scaling --out /proc/foo", "cannot write into '/proc/foo'"),
        ("study tasks --out /proc/foo", "cannot write into '/proc/foo'"),
        ("study gradients --out /dev/null", "cannot write into '/dev/null'"),
        ("report /proc", "tnqrnn report: /proc holds no study"),
        ("test --checkpoint /", "checkpoint: there is no file /"),
        ("validate --checkpoint nowhere", "checkpoint: there is no file nowhere"),
        ("test --checkpoint", "test"),
    ],
)
def test_a_wrong_request(
    request_: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(request_.split()) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert says in sentence
    assert list(tmp_path.iterdir()) == []
