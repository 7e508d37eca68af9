"""The batch script: what is in it, and what is refused before it is printed."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from backends.errors import InvalidInput
from studies.slurm_script import main, script, seconds

ASKED = ["--config", "digits", "--nodes", "2", "--time", "1:00:00"]


def directives(text: str) -> dict[str, str]:
    lines = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_what_the_job_asks_for(tmp_path: Path) -> None:
    text = script([*ASKED, "--runs", str(tmp_path / "all runs"), "--cpus-per-process", "4", "--memory", "8G"])
    found = directives(text)
    assert found["nodes"] == "2"
    assert found["ntasks-per-node"] == "1"
    assert found["cpus-per-task"] == "4"
    assert found["time"] == "1:00:00"
    assert found["signal"] == "USR1@120"
    assert found["mem"] == "8G"
    assert {"requeue", "open-mode"} <= found.keys()
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    [started] = [line for line in text.splitlines() if line.startswith("srun")]
    words = shlex.split(started)
    assert words[words.index("--runs") + 1] == str(tmp_path / "all runs")  # one root, wherever the job starts
    assert list(tmp_path.iterdir()) == []


def test_one_process_for_each_gpu() -> None:
    text = script([*ASKED, "--gpus-per-node", "4", "--module", "cuda/12"])
    assert directives(text)["ntasks-per-node"] == directives(text)["gpus-per-node"] == "4"
    assert "--trainer.accelerator gpu" in text
    assert "\nmodule load cuda/12\n" in text


def test_a_configuration_is_given_by_its_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("task: digits\n")
    assert str(tmp_path / "mine.yaml") in script(["--config", "mine.yaml", "--time", "60"])


@pytest.mark.parametrize(
    ("time", "expected"),
    [("30", 1800), ("2:03", 123), ("1:02:03", 3723), ("1-2", 93600), ("1-2:03", 93780), ("1-2:03:04", 93784)],
)
def test_times_as_slurm_writes_them(time: str, expected: int) -> None:
    assert seconds(time) == expected


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config", "digits"], "--time"),
        ([*ASKED, "--time", "soon"], "--time must be like"),
        ([*ASKED, "--time", "2"], "leaves less than 60 s"),
        ([*ASKED, "--nodes", "0"], "--nodes must be at least 1"),
        ([*ASKED, "--nodes", "two"], "--nodes"),
        ([*ASKED, "--gpus-per-node", "2", "--processes-per-node", "3"], "cannot share 2 GPUs"),
        ([*ASKED, "--model.n_qubit", "3"], "model.n_qubits"),
        ([*ASKED, "--seed", "99999999999"], "from 0 to 4294967295"),
        ([*ASKED, "--runs", "/proc/foo"], "cannot write into"),
        ([*ASKED, "--runs", ""], "no name of a folder"),
        ([*ASKED, "--memory", "16 GB"], "--memory must be like"),
        ([*ASKED, "--partition", "long\nrm x"], "--partition must be one word"),
        (["--config", "nothing", "--time", "60"], "no configuration and no file 'nothing'"),
    ],
)
def test_refused_with_one_sentence(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput, match=told.replace("(", r"\(")):
        script(arguments)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""
