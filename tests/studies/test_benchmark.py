"""The benchmark measures what it says, on a workload whose counted work and results are checked."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from studies.benchmark.memory import peak_bytes
from studies.benchmark.simulators import load
from studies.benchmark.workload import Workload
from tnqrnn.__main__ import main

OURS = "tnqrnn_statevector"
SMALL = ["--batch", "4", "--timesteps", "2", "--repeats", "1"]


def test_benchmark_writes_a_row_per_simulator_and_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rivals = ["--rivals", "eager", "tnqrnn_reversible"]
    assert main(["benchmark", "--qubits", "3", "4", *rivals, *SMALL, "--out", str(tmp_path)]) == 0
    with (tmp_path / "benchmark.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = [OURS, "eager", "tnqrnn_reversible"]
    assert [(row["simulator"], row["n_qubits"]) for row in rows] == [(name, n) for n in ("3", "4") for name in names]
    for row in rows:
        assert float(row["gradient_error"]) <= 1e-5
        assert float(row["readout_error"]) <= 1e-5
        assert float(row["step_seconds"]) > 0
    names = {f"{what}_against_qubits.png" for what in ("time", "memory")}
    assert {path.name for path in tmp_path.glob("*.png")} == names
    assert "GFlop/s" in capsys.readouterr().out


def test_a_second_benchmark_keeps_the_table_of_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    asked = ["benchmark", "--rivals", *SMALL, "--out", str(out)]
    assert main([*asked, "--qubits", "3"]) == 0
    first = (out / "benchmark.csv").read_bytes()
    capsys.readouterr()
    for again in ("out-2", "out-3"):
        assert main([*asked, "--qubits", "2"]) == 0
        assert f"{out} holds a benchmark.csv already, which is kept; this one goes to {tmp_path / again}" in (
            capsys.readouterr().out
        )
        [row] = csv.DictReader((tmp_path / again / "benchmark.csv").read_text().splitlines())
        assert row["n_qubits"] == "2"
    assert (out / "benchmark.csv").read_bytes() == first


def test_every_size_can_vary_and_memory_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--qubits", "4", "--batch", "2", "4", "--layers", "1", "2", "--timesteps", "2", "--repeats", "1"]
    assert main(["benchmark", *sizes, "--rivals", "--peak-memory", "--phases", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("backward: gradients of angles") == 4
    with (tmp_path / "benchmark.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["n_layers"], row["batch"]) for row in rows] == [("1", "2"), ("1", "4"), ("2", "2"), ("2", "4")]
    assert all(0 <= int(row["peak_bytes"]) < 2**28 for row in rows)
    names = {f"{what}_against_{axis}.png" for what in ("time", "memory") for axis in ("layers", "samples")}
    assert {path.name for path in tmp_path.glob("*.png")} == names


@pytest.mark.slow
def test_the_peak_is_that_of_the_states() -> None:
    """16 qubits, 8 samples, 16 timesteps: 64 MiB of stored states, and the tile that is worked on (8 MiB)."""
    stored = peak_bytes(OURS, Workload(16, 1, 8, 16))
    reversible = peak_bytes("tnqrnn_reversible", Workload(16, 1, 8, 16))
    assert 64 * 2**20 <= stored <= 96 * 2**20
    assert reversible <= 32 * 2**20


def test_the_plain_simulation_is_ours() -> None:
    workload = Workload(n_qubits=5, n_layers=2, batch=3, timesteps=2)
    plain, ours = (load(name, workload).run(workload.angles())[0] for name in ("eager", OURS))
    assert float((plain - ours).detach().abs().max()) <= 1e-5
    assert workload.angles().shape == (2, 3, workload.n_angles)
    assert torch.equal(workload.angles(), workload.angles())


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--qubits", "1"], "--qubits"),
        (["--rivals", "flagquantm"], "Did you mean 'flagquantum'?"),
        (["--batch", "0"], "--batch"),
        (["--qubit", "8"], "--qubit"),
        (["--qubits", "4", "--rivals", "flagquantum"], "--rivals"),
    ],
)
def test_bad_requests(
    arguments: list[str], mentions: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "flagquantum", None)  # as if it were not installed
    assert main(["benchmark", *SMALL, *arguments, "--out", "/nowhere"]) == 2
    told = capsys.readouterr().err.strip()
    assert mentions in told
    assert "\n" not in told
