"""The study itself: builds or loads the models, measures each, writes table and figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from backends.errors import InvalidInput
from lightning_modules.cli.run_command import prepare_run
from lightning_modules.data.loaders import Batch, SequenceData
from lightning_modules.runs.run_directory import environment, write_json
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.trained_run import TrainedRun
from studies.evaluation import first_sequences
from studies.fresh_folder import beside
from studies.gradients.norms import Reach, gradient_norms
from studies.gradients.reach_figure import draw, write_csv

TABLE = "gradients.csv"


@dataclass(frozen=True)
class GradientStudy:
    """What was measured, on how many timesteps, and what led to it."""

    reaches: list[Reach]
    title: str
    origin: dict[str, object]
    data_sha256: str


def measure_all(
    arguments: Sequence[str],  # of `tnqrnn fit`; none for checkpoints only
    cells: Sequence[str],
    checkpoints: Sequence[Path],
    loss: str,
    samples: int,
) -> GradientStudy:
    """Measure the untrained `cells` of a configuration, then the checkpoints, on the first test sequences."""
    models: dict[str, tuple[SequenceTask, SequenceData]] = {}
    for cell in cells if arguments else ():
        prepared = prepare_run([*arguments, "--model.cell", cell])
        models[f"{cell}, untrained"] = prepared.model, prepared.data
    for path in checkpoints:
        run = TrainedRun.of(path)
        models[_name(run, models)] = run.model(), run.data()
    lengths = {name: data.sequence_length for name, (_, data) in models.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInput(
            f"tnqrnn study gradients: the models read sequences of different lengths ({lengths}); compare them one by "
            "one."
        )
    # In double precision: in single, what vanishes ends at the smallest number there is, and looks constant.
    reaches = [
        Reach(name, gradient_norms(model.double(), _in_double(first_sequences(data, samples)), loss))
        for name, (model, data) in models.items()
    ]
    _, data = next(iter(models.values()))
    timesteps = data.sequence_length
    what = "last timestep's loss" if loss == "last" else "task's loss"
    origin: dict[str, object] = {
        "arguments": list(arguments),
        "cells": list(cells) if arguments else [],
        "checkpoints": [str(path) for path in checkpoints],
        "loss": loss,
        "samples": samples,
    }
    return GradientStudy(reaches, f"gradient of the {what}, {timesteps} timesteps", origin, data.sha256)


def report(study: GradientStudy, folder: Path) -> None:
    """Print how much of the gradient reaches the first timestep; write gradients.csv, gradients.png and env.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(study.reaches, folder / TABLE)
    write_json(folder / "env.json", {**environment("cpu", study.data_sha256), **study.origin})
    draw(study.reaches, study.title, folder / "gradients.png")
    print(f"{study.title}: median over samples of |dL/dh|")
    for reach in study.reaches:
        first, last = reach.quantiles()[1, [0, -1]].tolist()
        print(f"  {reach.name:<24} first {first:.2e}  last but one {last:.2e}  ratio {first / (last or torch.nan):.2e}")
    print(f"table:   {folder / TABLE}")
    if (folder / "gradients.png").exists():
        print(f"figure:  {folder / 'gradients.png'}")


def _name(run: TrainedRun, taken: dict[str, tuple[SequenceTask, SequenceData]]) -> str:
    name, folder = f"{run.config['model'].get('cell', 'qrnn')}, trained", beside(run.checkpoint.resolve()).name
    told = (f" ({folder})", f" ({folder}, {run.checkpoint.name})", f" ({run.checkpoint})")
    return next((free for free in (name, *(name + each for each in told)) if free not in taken), name + told[-1])


def _in_double(batch: Batch) -> Batch:
    x, targets = batch
    return (x.double() if x.is_floating_point() else x), targets
