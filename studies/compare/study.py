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
from studies.compare.measure import Deviation, closed_loop, deviation, gradient, largest_entropies, median_seconds
from studies.compare.rows import TABLE, Comparison, Row
from studies.evaluation import evaluated, features, first_sequences, require_qrnn
from studies.saved import stored_for_backward

_ERRORS = (
    *("readout_rms_closed", "readout_max_closed", "readout_rms_open", "infidelity_mean", "infidelity_max"),
    *("infidelity_bound_mean", "infidelity_bound_max", "truncation_error_mean"),
)


def compare(run: TrainedRun, bonds: list[int], samples: int) -> Comparison:
    """Evaluate the weights of `run` exactly and with every bond dimension.

    The metric comes from the whole test set, errors from its first `samples` sequences, gradient, time and memory from
    one training batch.
    """
    data = run.data()
    models: dict[int | None, SequenceTask] = {None: run.model(backend="statevector")}
    models |= {bond: run.model(backend="mps", max_bond=bond) for bond in bonds}
    cells = {bond: require_qrnn("compare", model) for bond, model in models.items()}
    x, _ = features(models[None], first_sequences(data, samples)[0])
    batch, timesteps = next(iter(data.train_dataloader())), x.shape[1]
    exact = closed_loop(cells[None], x)
    entropies: dict[int | None, Tensor] = {None: largest_entropies(cells[None], exact)}
    gradients: dict[int | None, Tensor] = {}
    deviations: dict[int, Deviation] = {}
    measured: dict[int | None, dict[str, float]] = {}
    for bond, model in track(models.items(), "comparing", console=Console(stderr=True), transient=True):
        metric, loss = evaluated(model, data, run.task.headline)
        gradients[bond] = gradient(model, partial(_loss, model, batch))
        measured[bond] = {"metric": metric, "loss": loss, **dict.fromkeys(_ERRORS, 0.0)}
        measured[bond] |= _gradient_errors(gradients[bond], gradients[None])
        if bond is not None:
            deviations[bond] = deviation(cells[None], cells[bond], x, exact)
            measured[bond] |= _errors(deviations[bond])
            entropies[bond] = deviations[bond].entropy
    seconds = median_seconds({bond: partial(_training_step, model, batch) for bond, model in models.items()})
    rows = [
        Row(
            backend="statevector" if bond is None else "mps",
            max_bond=bond,
            **measured[bond],
            largest_entropy=float(entropies[bond].max()),
            seconds_per_timestep=seconds[bond] / timesteps,
            stored_bytes_per_timestep=_stored_bytes(model, batch) // timesteps,
        )
        for bond, model in models.items()
    ]
    return Comparison(
        run.name, run.task.headline, cells[None].backend.n_qubits, timesteps, len(x), rows, deviations, entropies[None]
    )


def report(comparison: Comparison, run: TrainedRun, folder: Path) -> None:
    """Print the table, and write comparison.csv, env.json and the figures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    comparison.write_csv(folder / TABLE)
    write_json(folder / "env.json", {**environment("cpu", run.data().sha256), "checkpoint": str(run.checkpoint)})
    figures = draw_all(comparison, folder)
    Console().print(comparison.as_table())
    print(f"table:   {folder / TABLE}")
    for figure in figures:
        print(f"figure:  {figure}")


def _errors(found: Deviation) -> dict[str, float]:
    values: tuple[float | Tensor, ...] = (
        *(found.readout_closed.square().mean().sqrt(), found.largest_readout_error),
        *(found.readout_open.square().mean().sqrt(), found.infidelity[-1], found.largest_infidelity),
        *(found.bound[-1], found.largest_bound, found.truncation_error[-1]),
    )
    return {name: float(value) for name, value in zip(_ERRORS, values, strict=True)}


def _gradient_errors(own: Tensor, exact: Tensor) -> dict[str, float]:
    return {
        "gradient_cosine": float(cosine_similarity(own.double(), exact.double(), 0)),
        "gradient_error": float((own - exact).norm() / exact.norm()),
    }


def _loss(model: SequenceTask, batch: Batch) -> Tensor:
    return model.loss(batch)[0]


def _training_step(model: SequenceTask, batch: Batch) -> None:
    model.zero_grad()
    _loss(model, batch).backward()


def _stored_bytes(model: SequenceTask, batch: Batch) -> int:
    with stored_for_backward() as stored:
        _loss(model, batch)
    return stored.bytes
