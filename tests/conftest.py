"""What holds for every test: threads, plotting, Hypothesis, and which tests this machine cannot run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
import torch

# Before anything imports pyplot: no test opens a window.
os.environ["MPLBACKEND"] = "Agg"

# Nor does one write into the user's cache. One folder for all runs: compiling the kernels takes a minute or two.
os.environ["TNQRNN_CACHE"] = str(Path(__file__).parents[1] / ".pytest_cache" / "tnqrnn")

# The tensors of a test are small: a thread pool costs more than it gives, and one thread sums in one order.
torch.set_num_threads(1)

# No deadline: a first call may compile a kernel or plan a contraction. Derandomized: a red run is red again.
hypothesis.settings.register_profile("tnqrnn", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("tnqrnn")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with a reason, the marked tests whose machinery is not here."""
    missing = {}
    if shutil.which("sbatch") is None:
        missing["slurm"] = pytest.mark.skip(reason="no SLURM on this machine (sbatch not found)")
    if not torch.cuda.is_available():
        missing["gpu"] = pytest.mark.skip(reason="no CUDA device on this machine")
    for item in items:
        for marker, skip in missing.items():
            if marker in item.keywords:
                item.add_marker(skip)
