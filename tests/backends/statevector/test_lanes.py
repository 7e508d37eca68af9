"""The number of samples side by side is a constant that may be changed: here in a copy of the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import backends

# Loads and stores of few rows touch nothing behind them.
MOVE = """
import numpy as np
from backends.statevector import kernel
from backends.kernels.emitting import Parts
from backends.kernels.vectors import LANES
for rows in (2, 4, 8, 16):
    amplitudes = np.arange(3 * rows * 2, dtype=np.float32).reshape(3, rows, 2)
    parts = [np.full((rows + 32, LANES), -1, np.float32) for _ in range(2)]
    tile = Parts(parts[0][:rows], parts[1][:rows])
    kernel.load(0, rows, None, amplitudes, 0, tile)
    for k, part in enumerate(parts):
        samples = np.minimum(np.arange(LANES), 2)  # lanes beyond the batch repeat the last sample
        assert (part[:rows] == amplitudes[samples, :, k].T).all(), (rows, part)
        assert (part[rows:] == -1).all(), rows
    back = np.full((6, rows, 2), -1, np.float32)
    kernel.store(0, rows, None, back[:3], 0, tile)
    assert (back[:3] == amplitudes).all() and (back[3:] == -1).all(), rows
print(LANES)
"""

# Both kernels against torch's operations, forward and backward.
STEP = """
import torch
from backends import Circuit, create_backend
from backends.kernels.vectors import LANES
for name, options in (("statevector", {}), ("mps", {"max_bond": 4})):
    for n in (2, 3, 4, 5):
        circuit = Circuit(n)
        for q in range(n):
            circuit.ry(q).rz(q)
        for q in range(n - 1):
            circuit.crx(q, q + 1)
        results = []
        for engine in ("kernel", "contraction"):
            backend = create_backend(name, circuit, engine=engine, dtype=torch.complex128, **options)
            angles = torch.linspace(0.1, 3, 18 * circuit.n_angles, dtype=torch.float64).reshape(18, -1).requires_grad_()
            state, z = backend.step(backend.initial_state(18), angles)
            state, z = backend.step(state, angles)
            (gradient,) = torch.autograd.grad((z * torch.arange(3 * n)).sum(), angles)
            results.append((backend.to_dense(state).abs(), z, gradient))
        for ours, theirs in zip(*results):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
print(LANES)
"""


def run(lanes: int, script: str, folder: Path) -> str:
    package = Path(backends.__file__).parent
    shutil.copytree(package, folder / "backends", ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "backends" / "kernels" / "vectors.py"
    text = file.read_text()
    assert text.count("\nLANES = 8\n") == 1
    file.write_text(text.replace("\nLANES = 8\n", f"\nLANES = {lanes}\n"))
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1000)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("lanes", [4, 16])
def test_rows_are_loaded_and_stored_whole(lanes: int, tmp_path: Path) -> None:
    assert run(lanes, MOVE, tmp_path) == str(lanes)


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("lanes", [4, 16])
def test_steps_are_those_of_torch(lanes: int, tmp_path: Path) -> None:
    assert run(lanes, STEP, tmp_path) == str(lanes)


def test_other_numbers_are_refused_at_once(tmp_path: Path) -> None:
    assert "LANES must be a power of two" in run(12, MOVE, tmp_path)
