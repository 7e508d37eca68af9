"""The comparison itself: measures every bond dimension against the exact state and writes table, CSV and figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn.functional import cosine_similarity

from lightning_modules.data.loaders import Batch
from lightning_modules.runs.run_directory import environment, write_json
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.trained_run import TrainedRun
from studies.compare.figures import draw_all
from studies.compare.measure import (
    Deviation,
    closed_loop,
    deviation,
    gradient,
    largest_entropies,
    median_seconds,
)
from studies.compare.rows import TABLE, Comparison, Row
from studies.compare.table import comparison_table
from studies.evaluation import evaluated, features, first_sequences, require_qrnn
from studies.saved import stored_for_backward

_EXACT = 0  # stands for the exact state among the bond dimensions


def compare(run: TrainedRun, bonds: list[int], samples: int) -> Comparison:
    """Evaluate the weights of `run` exactly and with every bond dimension.

    The metric comes from the whole test set, errors from its first `samples` sequences, gradient, time and memory from
    one training batch.
    """
    data = run.data()
    models = {_EXACT: run.model(backend="statevector")}
    models |= {bond: run.model(backend="mps", max_bond=bond) for bond in bonds}
    cells = {bond: require_qrnn("compare", model) for bond, model in models.items()}
    x, _ = features(models[_EXACT], first_sequences(data, samples)[0])
    batch = next(iter(data.train_dataloader()))
    exact_run = closed_loop(cells[_EXACT], x)
    entropies = {_EXACT: largest_entropies(cells[_EXACT], exact_run)}
    deviations: dict[int, Deviation] = {}
    metrics: dict[int, tuple[float, float]] = {}
    gradients: dict[int, Tensor] = {}
    for bond, model in track(models.items(), "comparing", console=Console(stderr=True), transient=True):
        metrics[bond] = evaluated(model, data, run.task.headline)
        gradients[bond] = gradient(model, partial(_loss, model, batch))
        if bond != _EXACT:
            deviations[bond] = deviation(cells[_EXACT], cells[bond], x, exact_run)
            entropies[bond] = deviations[bond].entropy
    seconds = median_seconds({bond: partial(_training_step, model, batch) for bond, model in models.items()})
    timesteps = x.shape[1]
    rows = [
        _row(
            bond,
            metrics[bond],
            deviations.get(bond),
            (gradients[bond], gradients[_EXACT]),
            float(entropies[bond].max()),
            seconds[bond] / timesteps,
            _stored_bytes(model, batch) // timesteps,
        )
        for bond, model in models.items()
    ]
    return Comparison(
        task=run.name,
        metric_name=run.task.headline,
        n_qubits=cells[_EXACT].backend.n_qubits,
        timesteps=timesteps,
        samples=len(x),
        rows=rows,
        deviations=deviations,
        exact_entropy=entropies[_EXACT],
    )


def report(comparison: Comparison, run: TrainedRun, folder: Path) -> None:
    """Print the table, and write comparison.csv, env.json and the figures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    comparison.write_csv(folder / TABLE)
    write_json(folder / "env.json", {**environment("cpu", run.data().sha256), "checkpoint": str(run.checkpoint)})
    figures = draw_all(comparison, folder)
    Console().print(comparison_table(comparison))
    print(f"table:   {folder / TABLE}")
    for figure in figures:
        print(f"figure:  {figure}")


def _row(
    bond: int,
    metric_and_loss: tuple[float, float],
    deviation: Deviation | None,
    gradients: tuple[Tensor, Tensor],  # this setting's and the exact one
    largest_entropy: float,
    seconds: float,
    stored_bytes: int,
) -> Row:
    own, exact = gradients
    metric, loss = metric_and_loss
    return Row(
        backend="statevector" if bond == _EXACT else "mps",
        max_bond=None if bond == _EXACT else bond,
        metric=metric,
        loss=loss,
        readout_rms_closed=float(deviation.readout_closed.square().mean().sqrt()) if deviation else 0.0,
        readout_max_closed=deviation.largest_readout_error if deviation else 0.0,
        readout_rms_open=float(deviation.readout_open.square().mean().sqrt()) if deviation else 0.0,
        infidelity_mean=float(deviation.infidelity[-1]) if deviation else 0.0,
        infidelity_max=deviation.largest_infidelity if deviation else 0.0,
        infidelity_bound_mean=float(deviation.bound[-1]) if deviation else 0.0,
        infidelity_bound_max=deviation.largest_bound if deviation else 0.0,
        truncation_error_mean=float(deviation.truncation_error[-1]) if deviation else 0.0,
        gradient_cosine=float(cosine_similarity(own.double(), exact.double(), 0)),
        gradient_error=float((own - exact).norm() / exact.norm()),
        largest_entropy=largest_entropy,
        seconds_per_timestep=seconds,
        stored_bytes_per_timestep=stored_bytes,
    )


def _loss(model: SequenceTask, batch: Batch) -> Tensor:
    return model.loss(batch)[0]


def _training_step(model: SequenceTask, batch: Batch) -> None:
    model.zero_grad()
    _loss(model, batch).backward()


def _stored_bytes(model: SequenceTask, batch: Batch) -> int:
    with stored_for_backward() as stored:
        _loss(model, batch)
    return stored.bytes
