"""The benchmark of the MPS: every simulator runs the same chain, and what is measured is what it says."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from backends.mps.layout import Layout
from studies.benchmark.measure import Machine, measure
from studies.benchmark.memory import peak_bytes
from studies.benchmark.rivals.ours import exact
from studies.benchmark.simulators import RIVALS, load
from studies.benchmark.workload import Workload
from tests import oracle
from tests.backends.cases import gate_tuples
from tnqrnn import Ansatz
from tnqrnn.__main__ import main

OURS = "tnqrnn_mps"
SMALL = ["--backend", "mps", "--layers", "1", "--batch", "2", "--timesteps", "2", "--repeats", "1"]
PACKAGES = {"aer": "qiskit_aer"} | {name: name for name in ("flagquantum", "deepquantum", "tensorcircuit", "quimb")}
# What is exact where nothing is truncated; the others differ in how they truncate, not in the circuit.
LOSSLESS = Workload(n_qubits=4, n_layers=1, batch=2, timesteps=2, max_bond=4)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "benchmark.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_row_per_simulator_and_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--qubits", "4", "6", "--max-bond", "1", "8"]
    assert main(["benchmark", *SMALL, *sizes, "--rivals", "tnqrnn_torch", "--out", str(tmp_path)]) == 0
    found = rows(tmp_path)
    expected = [(name, n, bond) for n in "46" for bond in "18" for name in (OURS, "tnqrnn_torch")]
    assert [(row["simulator"], row["n_qubits"], row["max_bond"]) for row in found] == expected
    for row in found:
        assert float(row["step_seconds"]) > 0
        assert float(row["forward_only_seconds"]) > 0
        if row["max_bond"] == "8":  # as much as four and six qubits need
            assert float(row["readout_error"]) <= 1e-5
            assert float(row["gradient_error"]) <= 3e-5
            assert float(row["gradient_cosine"]) == pytest.approx(1)
            assert float(row["discarded_weight"]) == 0
        else:
            assert float(row["discarded_weight"]) > 1e-3
    names = {
        f"{what}_against_{axis}.png" for what in ("time", "forward", "memory") for axis in ("qubits", "bond_dimension")
    }
    assert {path.name for path in tmp_path.glob("*.png")} == names
    assert "cosine" in capsys.readouterr().out


def test_every_rival_is_checked() -> None:
    assert {"tnqrnn_torch", *PACKAGES} == set(RIVALS["mps"])


def test_the_reference_is_the_chain_of_the_formulas() -> None:
    workload = LOSSLESS
    circuit = Ansatz(4, 1, topology="chain").circuit
    psi, values = oracle.zero_state(4, 2), []
    angles = workload.angles().detach().double().requires_grad_()
    for step in angles:
        psi = oracle.evolve(gate_tuples(circuit), psi, step)
        values.append(oracle.readouts(psi))
    readouts, gradient = exact(workload)
    torch.testing.assert_close(readouts, torch.stack(values).detach())
    (expected,) = torch.autograd.grad((torch.stack(values) * workload.weights()).sum(), angles)
    torch.testing.assert_close(gradient, expected)


# quimb compiles its own kernels for half a minute, JAX the whole run for more than one.
COMPILING = ("quimb", "tensorcircuit")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in COMPILING else []) for name in PACKAGES]
)
@pytest.mark.timeout(1200)
def test_rivals_run_the_same_chain(name: str) -> None:
    """In a process of its own: JAX, Aer and torch bring their own threads and warnings."""
    if find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    program = f"import {__name__} as test; test.check({name!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def check(name: str) -> None:
    _, rival = measure([OURS, name], LOSSLESS, 1, Machine(1e9, 1e9))
    assert rival["simulator"] == name
    assert rival["readout_error"] <= 1e-4
    assert (rival["step_seconds"] is None) == (name in ("aer", "quimb"))
    if rival["gradient_error"] is not None:  # nothing is truncated
        assert rival["gradient_error"] <= 1e-3


def test_segments_change_memory_only() -> None:
    workload = Workload(6, 1, 2, 6, None, 2)
    parts = replace(workload, segment_length=2)
    results = []
    for sizes in (workload, parts):
        angles = sizes.angles()
        z, discarded = load(OURS, sizes).run(angles)
        results.append((z.detach(), discarded, torch.autograd.grad((z * sizes.weights()).sum(), angles)[0]))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    torch.testing.assert_close(results[0][2], results[1][2], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_segments_lower_the_peak() -> None:
    """64 timesteps in segments of 8: of all states, a quarter, beside what one timestep works with."""
    workload = Workload(16, 1, 64, 64, None, 16)
    whole, parts = peak_bytes(OURS, workload), peak_bytes(OURS, replace(workload, segment_length=8))
    numbers = sum(left * width * right for left, width, right in Layout.of(16, 16).shapes())
    assert whole > 64 * 8 * numbers * workload.batch  # every timestep keeps its state at least, in complex64
    assert parts < whole / 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_qubits_train_within_24_gib() -> None:
    """As in docs/performance.md; the state alone is 100 sites of (32, 2, 32), 13 MB for eight samples."""
    assert peak_bytes(OURS, Workload(100, 2, 8, 8, None, 32)) < 24 * 2**30


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["--backend", "mp"], "Did you mean 'mps'?"),
        (["--rivals", "eager"], "unknown rival 'eager'"),
        (["--max-bond", "0"], "--max-bond must be an integer of at least 1"),
        (["--segment-length", "0"], "--segment-length must be an integer of at least 1"),
        (["--phases"], "leave it out with --backend mps"),
        (["--backend", "statevector", "--max-bond", "4"], "--max-bond is a setting of --backend mps"),
        (["--backend", "statevector", "--segment-length", "2", "--rivals", "tnqrnn_reversible"], "stores no state"),
        (["--rivals", "deepquantum"], "install it, or leave it out of --rivals"),
    ],
)
def test_bad_requests(
    arguments: list[str],
    mentions: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "deepquantum", None)  # as if it were not installed
    assert main(["benchmark", *SMALL, "--qubits", "4", *arguments, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.strip()
    assert mentions in told
    assert "\n" not in told
    assert not (tmp_path / "out").exists()
