"""What counts as free: in a SLURM job, what it was given."""

from __future__ import annotations

import psutil
import pytest
import torch

from backends.errors import InvalidInput
from backends.memory import free_bytes, require_memory

CPU = torch.device("cpu")
NAMES = ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE")


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("job", [{"SLURM_MEM_PER_NODE": "64"}, {"SLURM_MEM_PER_CPU": "32", "SLURM_CPUS_ON_NODE": "2"}])
def test_a_job_has_what_it_asked_for(job: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    assert free_bytes(CPU) <= 64 * 2**20
    with pytest.raises(InvalidInput, match=r"need 100.0 MiB of memory"):
        require_memory("statevector", "many qubits", 100 * 2**20, CPU, "Use fewer.")


@pytest.mark.parametrize("job", [{}, {"SLURM_MEM_PER_NODE": "0"}, {"SLURM_MEM_PER_CPU": "32"}])
def test_otherwise_it_is_what_the_machine_has(job: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    assert free_bytes(CPU) > psutil.virtual_memory().available // 2
