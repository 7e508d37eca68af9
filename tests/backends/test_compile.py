"""torch.compile of a model whose kernels have not run yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# In a process of its own: once a kernel has been called, the compiler no longer meets Numba's.
SCRIPT = """
import torch
from backends import Circuit, create_backend
circuit = Circuit(4).ry(0).crx(0, 1).crx(1, 2).ry(3).crx(2, 3)
for name, options in (("statevector", {}), ("statevector", {"gradient": "reversible"}), ("mps", {"max_bond": 2})):
    backend = create_backend(name, circuit, dtype=torch.complex128, **options)
    def run(angles):
        state = backend.initial_state(2)
        for _ in range(2):
            state, z = backend.step(state, angles)
        return (z * torch.arange(12)).sum()
    results = []
    for call in (torch.compile(run, backend="eager"), run):
        for _ in range(3):
            angles = torch.ones(2, 5, dtype=torch.float64, requires_grad=True)
            value = call(angles)
            value.backward()
            results.append((value.detach(), angles.grad))
    for value, gradient in results:
        assert torch.equal(value, results[-1][0]) and torch.equal(gradient, results[-1][1]), (name, options, results)
"""


def test_a_model_that_has_not_run_yet() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
