"""What counts as free: the least of the machine, the control groups, the resource limits and a SLURM job's memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from backends import Circuit, create_backend, memory
from backends.errors import InvalidInput
from backends.memory import free_bytes, require_memory, total_bytes

CPU, MIB = torch.device("cpu"), 2**20
NAMES = ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE")


@pytest.fixture(autouse=True)
def _no_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the job nor the container that the tests run in."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OF_THIS_PROCESS", tmp_path / "of this process")


# SLURM.


@pytest.mark.parametrize("job", [{"SLURM_MEM_PER_NODE": "64"}, {"SLURM_MEM_PER_CPU": "32", "SLURM_CPUS_ON_NODE": "2"}])
def test_a_job_has_what_it_asked_for(job: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    assert free_bytes(CPU) <= 64 * MIB
    assert total_bytes() == 64 * MIB
    with pytest.raises(InvalidInput, match=r"need 100.0 MiB of memory"):
        require_memory("statevector", "many qubits", 100 * MIB, CPU, "Use fewer.")


@pytest.mark.parametrize("job", [{}, {"SLURM_MEM_PER_NODE": "0"}, {"SLURM_MEM_PER_CPU": "32"}])
def test_otherwise_it_is_what_the_machine_has(job: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    assert free_bytes(CPU) > psutil.virtual_memory().available // 2
    assert total_bytes() == psutil.virtual_memory().total


# Control groups.


def group(folder: Path, version: int, limit: str, used: int, cached: int) -> None:
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    prefix = "" if version == 2 else "total_"
    (folder / "memory.stat").write_text(f"anon 1\n{prefix}inactive_file {cached}\nactive_anon 5\n")


GROUPS = {2: ("0::/jobs/mine\n", "."), 1: ("9:cpu,cpuacct:/else\n4:memory:/jobs/mine\n0::/\n", "memory")}


@pytest.mark.parametrize("version", GROUPS)
def test_a_control_group_bounds(version: int, tmp_path: Path) -> None:
    """100 MiB may be used, 60 are, of which 10 are files that are given back: 50 are free."""
    text, root = GROUPS[version]
    (tmp_path / "of this process").write_text(text)
    group(tmp_path / root / "jobs" / "mine", version, str(100 * MIB), 60 * MIB, 10 * MIB)
    assert free_bytes(CPU) == 50 * MIB
    assert total_bytes() == 100 * MIB


@pytest.mark.parametrize("version", GROUPS)
def test_so_do_the_groups_around_it(version: int, tmp_path: Path) -> None:
    text, root = GROUPS[version]
    (tmp_path / "of this process").write_text(text)
    unlimited = "max" if version == 2 else str(2**63 - 4096)
    group(tmp_path / root / "jobs" / "mine", version, unlimited, 3 * MIB, 0)
    group(tmp_path / root / "jobs", version, str(80 * MIB), 50 * MIB, 0)
    group(tmp_path / root, version, str(200 * MIB), 190 * MIB, 0)
    assert free_bytes(CPU) == 10 * MIB
    assert total_bytes() == 80 * MIB


@pytest.mark.parametrize("version", GROUPS)
def test_in_a_container_the_path_may_be_the_hosts(version: int, tmp_path: Path) -> None:
    """Its own group is then where all groups begin."""
    text, root = GROUPS[version]
    (tmp_path / "of this process").write_text(text.replace("/jobs/mine", "/docker/28572b"))
    group(tmp_path / root, version, str(100 * MIB), 40 * MIB, 0)
    assert free_bytes(CPU) == 60 * MIB


def test_a_full_group_has_nothing_free(tmp_path: Path) -> None:
    (tmp_path / "of this process").write_text("0::/\n")
    group(tmp_path, 2, str(100 * MIB), 100 * MIB + 4096, 0)
    assert free_bytes(CPU) == 0


# Resource limits.


@pytest.mark.parametrize(("kind", "used"), [(resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")])
def test_a_resource_limit_bounds(kind: int, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(asked: int) -> tuple[int, int]:
        return (10**12 if asked == kind else resource.RLIM_INFINITY), resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "getrlimit", limited)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Machine(10**13, 10**13))
    taken = getattr(psutil.Process().memory_info(), used)
    assert free_bytes(CPU) == pytest.approx(10**12 - taken, abs=64 * MIB)
    assert total_bytes() == 10**12


class _Machine:
    def __init__(self, total: int, available: int) -> None:
        self.total, self.available = total, available


UNDER_A_LIMIT = """
import torch
from backends import Circuit, create_backend
backend = create_backend("statevector", Circuit(25).ry(0).cx(0, 1))
try:
    backend.initial_state(1)
except ValueError as refusal:
    print(refusal)
"""


def test_under_ulimit_the_refusal_comes_before_the_allocation() -> None:
    """25 qubits need 4 states of 256 MiB and 4 tiles of 1 GiB; torch and numba alone take some of the 4 GiB."""
    limited = f"ulimit -v {4 * 2**20}; exec '{sys.executable}' -c '{UNDER_A_LIMIT}'"
    ended = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "25 qubits with batch 1 need 5.0 GiB of memory" in ended.stdout
    free = float(ended.stdout.split("of memory, ")[1].split(" ")[0])
    assert ended.stdout.split("of memory, ")[1].split(" ")[1] in ("GiB", "MiB")
    assert free < (4 if "GiB are free" in ended.stdout else 4096)


# What a step of the statevector takes.

MEASURED = """
import sys
import torch
from backends import Circuit, create_backend
from lightning_modules.runs.measured import PeakMemory

n, batch, how, records = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] == "True"
options = {"engine": how} if how == "contraction" else {"gradient": how}
torch.set_num_threads(1)

def circuit(n):
    made = Circuit(n)
    for qubit in range(n):
        made.ry(qubit)
    for qubit in range(n - 1):
        made.crx(qubit, qubit + 1)
    return made

def train(backend, batch):
    angles = torch.rand(batch, backend.n_angles, requires_grad=True)
    state = backend.initial_state(batch)
    for _ in range(2):
        state, z = backend.step(state, angles)
    if records:
        z.sum().backward()

with torch.set_grad_enabled(records):
    train(create_backend("statevector", circuit(12), **options), 2)  # loads the kernel, or the planner
    backend = create_backend("statevector", circuit(n), **options)
    checked = batch * backend.bytes_per_sample() + backend.work_space(batch, torch.device("cpu"))
    peak = PeakMemory()
    train(backend, batch)
    print(peak.above_start(), checked)
"""


@pytest.mark.parametrize(
    ("n_qubits", "batch", "how", "records"),
    [
        (20, 1, "stored", True),
        pytest.param(20, 1, "reversible", True, marks=pytest.mark.slow),
        pytest.param(18, 9, "stored", True, marks=pytest.mark.slow),
        pytest.param(20, 1, "stored", False, marks=pytest.mark.slow),
        pytest.param(20, 1, "contraction", True, marks=pytest.mark.slow),
        pytest.param(20, 1, "contraction", False, marks=pytest.mark.slow),
    ],
)
def test_the_check_counts_what_a_step_takes(n_qubits: int, batch: int, how: str, records: bool) -> None:
    """Measured in a process of its own: never more than was checked, and the check not twice as much."""
    arguments = [str(given) for given in (n_qubits, batch, how, records)]
    ended = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    peak, checked = (int(number) for number in ended.stdout.split())
    assert checked / 2 <= peak <= checked + 8 * MIB  # beside the states: code, small tensors


def test_threads_that_share_a_tile_need_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four samples of 15 qubits are one tile, whose 15 gates are worth sharing; 16 samples are two."""
    circuit: Any = Circuit(15)
    for qubit in range(15):
        circuit.ry(qubit)
    backend: Any = create_backend("statevector", circuit)
    tile = 4 * 8 * 4 * 2**15  # real and imaginary parts of a state and its cotangent, 8 samples, float32
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert backend.work_space(4, CPU) == tile
    assert backend.work_space(16, CPU) == 2 * tile
    with torch.no_grad():
        assert backend.work_space(4, CPU) == tile // 2
