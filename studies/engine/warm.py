"""Imported once, before worker processes are copied: loads what a training loads, and compiles what it compiles."""

from __future__ import annotations

import torch
import torch._dynamo  # every optimiser asks for it at its first step, and it takes seconds

import lightning_modules.cli.run_command  # noqa: F401
from tnqrnn import QRNN, Ansatz


def _take_one_step() -> None:
    model = QRNN(1, Ansatz(n_qubits=2), controller_width=1)
    z, _ = model(torch.zeros(1, 1, 1))
    z.sum().backward()


torch.set_num_threads(1)  # a pool of threads would not survive the copying
_take_one_step()
