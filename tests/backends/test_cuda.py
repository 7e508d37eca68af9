"""The same on a CUDA device as on the CPU: states, readouts, gradients, and refusals of mixed devices."""

from __future__ import annotations

import pytest
import torch

from backends import InvalidInput
from tests.backends.cases import FITTING, TRUNCATING, Setting, ansatz_circuit, gradient, random_angles, run
from tests.tolerances import GRADIENT

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("setting", [Setting("statevector"), FITTING, TRUNCATING[1]], ids=str)
def test_cuda_agrees_with_the_cpu(setting: Setting, dtype: torch.dtype, topology: str) -> None:
    circuit = ansatz_circuit(topology)
    backend = setting.create(circuit, dtype)
    results = []
    for device in ("cpu", "cuda"):
        leaf = random_angles(circuit, 1, 3).to(device, backend.real_dtype).requires_grad_()
        _, z = run(backend, leaf, backend.initial_state(3, device))
        results.append((z.detach().cpu(), gradient(z.square().sum(), leaf).cpu()))
    for here, there in zip(*results, strict=True):
        assert float((here - there).norm() / here.norm()) <= GRADIENT[dtype]


def test_devices_do_not_mix() -> None:
    circuit = ansatz_circuit("chain")
    backend = Setting("statevector").create(circuit)
    with pytest.raises(InvalidInput, match="cuda"):
        backend.step(backend.initial_state(2, "cuda"), random_angles(circuit, 1, 2)[0])
