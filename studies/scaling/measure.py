"""One cell: a task's model at one size on one backend, its cost, its errors against the exact state, its metric.

Cost and errors are those of weights at the start with angles of size `angle_scale`: large angles entangle the state, so
that truncation has something to do. The metric is that of the task's own start after a fixed number of training steps.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.nn.functional import cosine_similarity

from backends import State
from lightning_modules.cli.run_command import PreparedRun, prepare_run
from lightning_modules.data.loaders import Batch, SequenceData
from lightning_modules.runs.measured import PeakMemory
from lightning_modules.runs.progress import quiet_lightning
from lightning_modules.tasks.task import SequenceTask
from studies.compare.measure import closed_loop, deviation, gradient
from studies.evaluation import require_qrnn
from studies.saved import stored_for_backward
from studies.tasks.plan import as_text

WHO = "study scaling"


def measure(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Return seconds and bytes of a training step, the ledger, errors where exact fits, and the metric."""
    run = prepared(settings, seed, settings["backend"], folder, angle_scale=settings["angle_scale"])
    batch = _first(run.data, "train", settings["batch"])
    values: dict[str, Any] = {
        "timesteps": run.data.sequence_length,
        "data_sha256": run.data.sha256,
        "parameters": run.model.parameter_counts()["total"],
        **cost(run.model, batch, settings["repeats"]),
    }
    if settings["backend"] == "mps" and settings["qubits"] <= settings["exact_up_to"]:
        exact = prepared(settings, seed, "statevector", folder, angle_scale=settings["angle_scale"])
        values["exact"] = errors(run.model, exact.model, batch, settings["samples"])
    if settings["steps"] > 0:
        values |= trained_metric(settings, seed, folder)
    return values


def prepared(settings: Mapping[str, Any], seed: int, backend: str, folder: Path, **model: Any) -> PreparedRun:
    """Return the untrained task of a cell; the same seed gives the same weights on every backend."""
    model = {
        "n_qubits": settings["qubits"],
        "n_layers": settings["layers"],
        "topology": settings["topology"],
        "backend": backend,
        **({"max_bond": settings["max_bond"]} if backend == "mps" else {}),
        **model,
    }
    given = [part for name, value in model.items() for part in (f"--model.{name}", as_text(value))]
    arguments = ["--config", settings["config"], *given, "--data.batch_size", str(settings["batch"])]
    return prepare_run([*arguments, "--seed", str(seed), "--runs", str(folder / "runs")])


def cost(model: SequenceTask, batch: Batch, repeats: int) -> dict[str, Any]:
    """Return medians of the seconds of a training step and its parts, bytes, and the ledger after the batch."""
    memory = PeakMemory()
    _timed_step(model, batch)  # plans contractions, warms caches; its memory is that of any step
    peak = memory.above_start()
    forward, backward = zip(*(_timed_step(model, batch)[:2] for _ in range(repeats)), strict=True)
    with stored_for_backward() as stored:
        _, _, state = model.loss(batch)
    state = state.detach()
    backend = require_qrnn(WHO, model).backend
    timesteps = batch[0].shape[1]
    readout = statistics.median(_seconds(partial(backend.readout, state)) for _ in range(repeats + 1))
    forward_seconds, backward_seconds = statistics.median(forward), statistics.median(backward)
    return {
        "step_seconds": forward_seconds + backward_seconds,
        "forward_seconds": forward_seconds,
        "backward_seconds": backward_seconds,
        "readout_seconds": timesteps * readout,
        "peak_bytes": peak,
        "stored_bytes": stored.bytes,
        "state_bytes": _bytes(state) // state.batch_size,
        "truncation_error": float(state.truncation_error.mean()),
        "infidelity_bound": float(state.infidelity_bound.mean()),
    }


def errors(model: SequenceTask, exact: SequenceTask, batch: Batch, samples: int) -> dict[str, float]:
    """Return how far the truncated model is from the exact one with the same weights.

    Infidelity, its bound and the open-loop readout error: driven by the exact run's angles, last timestep, mean over
    the samples; closed loop: readouts fed back, rms over samples, timesteps and readouts. The gradient is that of the
    loss of the first `samples` sequences.
    """
    cells = [require_qrnn(WHO, each) for each in (model, exact)]
    inputs, targets = batch[0][:samples], batch[1][:samples]
    x = exact.inputs(inputs)[0].detach()
    found = deviation(cells[1], cells[0], x, closed_loop(cells[1], x))
    own, reference = (gradient(each, partial(_loss, each, (inputs, targets))).double() for each in (model, exact))
    return {
        "infidelity": float(found.infidelity[-1]),
        "infidelity_bound": float(found.bound[-1]),
        "readout_rms_closed": float(found.readout_closed.square().mean().sqrt()),
        "readout_rms_open": float(found.readout_open.square().mean().sqrt()),
        "readout_max": found.largest_readout_error,
        "gradient_cosine": float(cosine_similarity(own, reference, 0)),
        "gradient_error": float((own - reference).norm() / reference.norm()),
    }


def trained_metric(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Return the metric a user looks at first, on test samples, after a fixed number of training steps."""
    run = prepared(settings, seed, settings["backend"], folder)
    with quiet_lightning():
        trainer = Trainer(
            accelerator="cpu",
            max_steps=settings["steps"],
            limit_val_batches=0,
            limit_test_batches=-(-settings["test_samples"] // settings["batch"]),
            gradient_clip_val=1.0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(run.model, datamodule=run.data)
        [metrics] = trainer.test(run.model, datamodule=run.data, verbose=False)
    return {"metric": metrics[f"test_{run.task.headline}"], "metric_name": run.task.headline}


def _timed_step(model: SequenceTask, batch: Batch) -> tuple[float, float, State]:
    model.zero_grad()
    start = time.perf_counter()
    loss, _, state = model.loss(batch)
    middle = time.perf_counter()
    loss.backward()
    return middle - start, time.perf_counter() - middle, state


def _loss(model: SequenceTask, batch: Batch) -> Tensor:
    return model.loss(batch)[0]


@torch.no_grad()
def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _first(data: SequenceData, split: str, samples: int) -> Batch:
    inputs, targets = data.dataset(split)[list(range(samples))]
    return inputs, targets


def _bytes(state: State) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in state.tensors)
