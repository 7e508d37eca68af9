"""What a cell of the scaling study is expected to cost: the model of `backends.choice`, times what a cell does."""

from __future__ import annotations

from functools import cache

import torch

from backends.choice import timestep_seconds
from backends.errors import InvalidInput, require_choice, require_positive_int
from backends.mps import MPSBackend
from backends.mps.layout import Layout
from lightning_modules.cli.run_command import prepare_run
from studies.engine.study import Price, Settings
from tnqrnn import Ansatz

WHO = "study scaling"
BACKENDS = ("statevector", "mps")
_AMPLITUDE = torch.complex64.itemsize
_FORWARD = 0.4  # of a training step
_START = 3.0  # seconds: data, models, plans of contractions
_BASE = 100 * 2**20  # bytes that any training takes


def price(settings: Settings) -> Price:
    """Return expected seconds and bytes.

    Raises:
        InvalidInput: A size is impossible.
    """
    _check(settings)
    n, batch, bond = settings["qubits"], settings["batch"], settings["max_bond"]
    timesteps = _timesteps(settings["config"])
    ansatz = Ansatz(n, settings["layers"], topology=settings["topology"])
    exact, truncated = timestep_seconds(ansatz.circuit, bond, batch)
    step = timesteps * (exact if settings["backend"] == "statevector" else truncated)
    tests = -(-settings["test_samples"] // batch) if settings["steps"] else 0
    seconds = _START + step * (2 + settings["repeats"] + settings["steps"] + _FORWARD * tests)
    exact_bytes = (timesteps + 5) * batch * _AMPLITUDE << n
    if settings["backend"] == "statevector":
        return Price(seconds, _BASE + exact_bytes)
    beside = n <= settings["exact_up_to"]
    if beside:
        seconds += (1 + 2 * _FORWARD) * step + (1 + _FORWARD) * timesteps * exact
    if Layout.of(n, bond).n_sites == 1:
        need = exact_bytes
    else:  # a state for each timestep, and what a thread works on
        backend = MPSBackend(ansatz.circuit, max_bond=bond)
        need = timesteps * batch * backend.bytes_per_sample() + backend.work_space(batch, torch.device("cpu"))
    return Price(seconds, _BASE + need + (exact_bytes if beside else 0))


def _check(settings: Settings) -> None:
    require_choice(WHO, "backend", settings["backend"], BACKENDS)
    for name in ("qubits", "layers", "batch", "repeats"):
        require_positive_int(WHO, name, settings[name])
    for name in ("steps", "test_samples", "exact_up_to", "samples"):
        if settings[name] < 0:
            raise InvalidInput(f"{WHO}: {name} must be at least 0, got {settings[name]}.")
    if settings["backend"] == "mps":
        if settings["max_bond"] is not None:
            require_positive_int(WHO, "max_bond", settings["max_bond"])
        if settings["qubits"] <= settings["exact_up_to"]:
            require_positive_int(WHO, "samples (where the exact state is computed)", settings["samples"])
    if settings["steps"] > 0:
        require_positive_int(WHO, "test_samples (where steps are trained)", settings["test_samples"])


@cache
def _timesteps(config: str) -> int:
    """Return the length of the task's sequences."""
    return prepare_run(["--config", config, "--model.n_qubits", "2"]).data.sequence_length
