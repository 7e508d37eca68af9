"""One cell: weights trained exactly or at one bond dimension, evaluated exactly and at every bond dimension.

Everything but the metric is measured on the first test sequences, against the exact run of the same weights, by
`studies.compare.measure`: readouts fed back (closed loop) and driven by the exact run's angles (open loop).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends import State
from backends.errors import InvalidInput, require_positive_int
from lightning_modules.tasks.task import SequenceTask
from studies.compare.measure import Deviation, closed_loop, deviation, open_loop
from studies.engine.study import Price
from studies.evaluation import evaluated, features, first_sequences, require_qrnn
from studies.training import facts, trained, training_price
from tnqrnn import QRNNCell

WHO = "study truncation"
MEASURES = ("entropy", "participation")


def measure(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Return metric, loss and errors by bond dimension ("exact", "chi_2"); write arrays.npz.

    In arrays.npz, with B bond dimensions `bonds`, T timesteps and n qubits: `metric`, `loss` (B,) and `exact` (metric,
    loss); `readout_closed`, `readout_open` (B, T), rms; `final` (B, 3, samples): infidelity, truncation error and bound
    at the end; `rank_exact` (2, T, n - 1) and `rank` (B, 2, T, n - 1): effective ranks by entropy and by participation,
    mean over the samples, of the exact state and of the truncated one driven by the same angles.
    """
    run = trained(settings, seed, folder, *_backend_flags(settings["trained_with"]))
    data, exact = run.data(), run.model(backend="statevector")
    cell = studied_cell(exact)
    x, _ = features(exact, first_sequences(data, settings["samples"])[0])
    reference = closed_loop(cell, x)
    metric, loss = evaluated(exact, data, run.task.headline)
    names = ("metric", "loss", "readout_closed", "readout_open", "final", "rank")
    arrays: dict[str, list[Any]] = {name: [] for name in names}
    errors: dict[str, dict[str, float]] = {}
    for bond in settings["tested_with"]:
        model = run.model(backend="mps", max_bond=bond)
        truncated = studied_cell(model)
        found = deviation(cell, truncated, x, reference)
        tested_metric, tested_loss = evaluated(model, data, run.task.headline)
        values = (tested_metric, tested_loss, found.readout_closed, found.readout_open, found.final)
        ranks = effective_ranks(truncated, open_loop(truncated, reference.angles).states)
        for name, value in zip(arrays, (*values, ranks), strict=True):
            arrays[name].append(np.asarray(value))
        errors[f"chi_{bond}"] = {"metric": tested_metric, **_errors(found)}
    written: dict[str, Any] = {name: np.stack(values) for name, values in arrays.items()}
    written |= {"bonds": np.array(settings["tested_with"]), "exact": np.array([metric, loss])}
    np.savez(folder / "arrays.npz", rank_exact=effective_ranks(cell, reference.states).numpy(), **written)
    return {**facts(run), "metric_name": run.task.headline, "metric_exact": metric, "loss_exact": loss, **errors}


def price(settings: Mapping[str, Any]) -> Price:
    """Return the seconds and bytes of a cell; refuses what cannot be meant."""
    for name in ("epochs", "samples"):
        require_positive_int(WHO, name, settings[name])
    bonds = settings["tested_with"]
    if not bonds:
        raise InvalidInput(f"{WHO}: tested_with is empty; give bond dimensions such as '[1, 2, 4]'.")
    for bond in bonds:
        require_positive_int(WHO, "tested_with", bond)
    if settings["trained_with"] is not None:
        require_positive_int(WHO, "trained_with (or null: exactly)", settings["trained_with"])
    # Beside the test, every bond is measured on a batch twice: readouts fed back, and driven by the exact angles.
    return training_price(
        settings, studied_cell, trained_with=[settings["trained_with"]], tested_with=[None, *bonds, *bonds]
    )


@torch.no_grad()
def effective_ranks(cell: QRNNCell, states: list[State]) -> Tensor:
    """Return the effective ranks by both measures, mean over the samples: (2, T, n - 1)."""
    by_measure = [
        torch.stack([cell.backend.effective_rank(state, name).mean(0) for state in states]) for name in MEASURES
    ]
    return torch.stack(by_measure)


def studied_cell(model: SequenceTask) -> QRNNCell:
    """Return the model's QRNN cell; refuses a model that is not one QRNN over a sequence."""
    return require_qrnn(WHO, model)


def _errors(found: Deviation) -> dict[str, float]:
    return {
        "readout_rms_closed": float(found.readout_closed.square().mean().sqrt()),
        "readout_rms_open": float(found.readout_open.square().mean().sqrt()),
        "infidelity": float(found.infidelity[-1]),
        "truncation_error": float(found.truncation_error[-1]),
        "infidelity_bound": float(found.bound[-1]),
    }


def _backend_flags(max_bond: int | None) -> list[str]:
    if max_bond is None:
        return ["--model.backend", "statevector"]
    return ["--model.backend", "mps", "--model.max_bond", str(max_bond)]
