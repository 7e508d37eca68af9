"""`create_backend("auto")` takes the backend that its model of time and memory prefers, and says why."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
import torch

from backends import Circuit, InvalidInput, MPSBackend, StatevectorBackend, create_backend
from backends.choice import choose


def chain(n_qubits: int, layers: int = 2) -> Circuit:
    circuit = Circuit(n_qubits)
    for _ in range(layers):
        for qubit in range(n_qubits):
            circuit.ry(qubit)
        for qubit in range(n_qubits - 1):
            circuit.crx(qubit, qubit + 1)
    return circuit


@pytest.mark.parametrize(
    ("n_qubits", "options", "expected", "mentions"),
    [
        (4, {}, StatevectorBackend, "max_bond=16 never binds"),
        (10, {"max_bond": None}, StatevectorBackend, "never truncates"),
        (10, {"max_bond": 8}, StatevectorBackend, "it is exact and takes about"),
        (24, {"max_bond": 16, "batch_size": 1, "timesteps": 1}, MPSBackend, "would take about"),
        (100, {"max_bond": 32, "batch_size": 8}, MPSBackend, "all amplitudes of 100 qubits would need"),
    ],
)
def test_the_choice_and_its_reason(n_qubits: int, options: dict[str, Any], expected: type, mentions: str) -> None:
    backend = create_backend("auto", chain(n_qubits), **options)
    assert type(backend) is expected
    assert backend.choice is not None
    assert backend.choice.startswith(f"{backend.name}: ")
    assert mentions in backend.choice
    assert create_backend("mps", chain(3)).choice is None


def test_memory_decides_where_time_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """14 qubits, batch 32, 64 timesteps: 69 states of 4 MiB, and the kernel's four tiles of 8 samples, 2 MiB."""
    circuit = chain(14)
    assert choose(circuit, 16, 32, 64, torch.complex64).name == "statevector"
    memory = psutil.virtual_memory()._replace(total=300 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    choice = choose(circuit, 16, 32, 64, torch.complex64)
    assert choice.name == "mps"
    assert "278.0 MiB for 64 timesteps of batch 32; this machine has 240.0 MiB" in choice.reason


def test_what_is_chosen_works() -> None:
    circuit = chain(6)
    auto, plain = (create_backend(name, circuit, dtype=torch.complex128) for name in ("auto", "statevector"))
    angles = torch.linspace(-1, 1, circuit.n_angles, dtype=torch.float64).repeat(3, 1)
    ours, theirs = (backend.step(backend.initial_state(3), angles)[1] for backend in (auto, plain))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("options", "mentions"),
    [
        ({"max_bnd": 3}, "Did you mean 'max_bond'"),
        ({"max_bond": 0}, "max_bond"),
        ({"gradient": "reversed"}, "Did you mean 'reversible'"),
        ({"batch_size": 0}, "batch_size"),
        ({"timesteps": 1.5}, "timesteps"),
    ],
)
def test_wrong_options_are_refused_whichever_backend_would_serve(options: dict[str, Any], mentions: str) -> None:
    with pytest.raises(InvalidInput, match=mentions):
        create_backend("auto", chain(4), **options)
