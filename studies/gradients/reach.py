"""How far back a loss reaches in single models: builds or loads them, measures each, writes table and figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor

from backends.errors import InvalidInput
from lightning_modules.cli.run_command import prepare_run
from lightning_modules.data.loaders import Batch, SequenceData
from lightning_modules.runs.run_directory import environment, write_json
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.trained_run import TrainedRun
from studies.evaluation import first_sequences
from studies.fresh_folder import beside
from studies.gradients.norms import gradient_norms
from studies.plots import style_of
from studies.style import figure, log_limits

TABLE = "gradients.csv"
Models = Mapping[str, tuple[SequenceTask, SequenceData]]
_QUANTILES = {"quantile_10": 0.1, "median": 0.5, "quantile_90": 0.9}
# Nobody learns from a gradient that is smaller than this part of another; the table has it all the same.
_LOWEST = 1e-20


def measure_models(
    arguments: Sequence[str],  # of `tnqrnn fit`; none for checkpoints only
    cells: Sequence[str],
    checkpoints: Sequence[Path],
    loss: str,
    samples: int,
    folder: Path,
) -> None:
    """Measure the untrained `cells` of a configuration, then the checkpoints, on the first test sequences.

    Prints how much of the gradient reaches the first timestep; writes gradients.csv, gradients.png and env.json.
    """
    models = _models(arguments, cells if arguments else (), checkpoints)
    # In double precision: in single, what vanishes ends at the smallest number there is, and looks constant.
    table = table_of(
        {
            name: gradient_norms(model.double(), _in_double(first_sequences(data, samples)), loss)
            for name, (model, data) in models.items()
        }
    )
    _, data = next(iter(models.values()))
    what = "last timestep's loss" if loss == "last" else "task's loss"
    title = f"gradient of the {what}, {data.sequence_length} timesteps"
    origin = {
        "arguments": list(arguments),
        "cells": list(cells) if arguments else [],
        "checkpoints": [str(path) for path in checkpoints],
        "loss": loss,
        "samples": samples,
    }
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / TABLE, index=False, float_format="%.6e")
    write_json(folder / "env.json", {**environment("cpu", data.sha256), **origin})
    draw(table, title, folder / "gradients.png")
    print(f"{title}: median over samples of |dL/dh|")
    for name, part in table.groupby("model", sort=False):
        first, last = part["median"].iloc[[0, -1]]
        print(f"  {name:<24} first {first:.2e}  last but one {last:.2e}  ratio {first / (last or torch.nan):.2e}")
    print(f"table:   {folder / TABLE}")
    if (folder / "gradients.png").exists():
        print(f"figure:  {folder / 'gradients.png'}")


def table_of(
    norms: Mapping[str, Tensor],  # (samples, timesteps - 1) of every model, timestep 1 first
) -> pandas.DataFrame:
    """Return one row per model and timestep: quantiles over the samples of |dL/dh_t|."""
    parts = []
    for name, found in norms.items():
        levels = torch.tensor(list(_QUANTILES.values()), dtype=found.dtype)
        part = pandas.DataFrame(found.quantile(levels, 0).T.numpy(), columns=list(_QUANTILES))
        part.insert(0, "samples", len(found))
        part.insert(0, "timestep", range(1, len(part) + 1))
        part.insert(0, "model", name)
        parts.append(part)
    return pandas.concat(parts)


def draw(table: pandas.DataFrame, title: str, path: Path) -> None:
    """Draw the norms against the timestep, each model's divided by its median at the last timestep but one."""
    with figure(path, width=6.5) as drawing:
        axes = drawing.add_subplot()
        for number, (name, part) in enumerate(table.groupby("model", sort=False)):
            low, median, high = (part[list(_QUANTILES)] / (part["median"].iloc[-1] or 1.0)).to_numpy().T
            style, steps = style_of(number), part["timestep"]
            # Shifted by line, so that markers of lines on top of each other stay apart.
            every = (number * len(part) // 40, max(1, len(part) // 8))
            axes.plot(steps, np.where(median > 0, median, np.nan), label=str(name), markevery=every, **style)
            axes.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.set_yscale("log")
        low, high = log_limits(axes.dataLim.minposy, axes.dataLim.y1)
        axes.set_ylim(max(low, min(_LOWEST, high / 10)), high)
        axes.set(xlabel="timestep t", ylabel="|dL/dh(t)|, relative to the last t", title=title)
        axes.legend()


def _models(arguments: Sequence[str], cells: Iterable[str], checkpoints: Iterable[Path]) -> Models:
    models: dict[str, tuple[SequenceTask, SequenceData]] = {}
    for cell in cells:
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
    return models


def _name(run: TrainedRun, taken: Models) -> str:
    name, folder = f"{run.config['model'].get('cell', 'qrnn')}, trained", beside(run.checkpoint.resolve()).name
    told = (f" ({folder})", f" ({folder}, {run.checkpoint.name})", f" ({run.checkpoint})")
    return next((free for free in (name, *(name + each for each in told)) if free not in taken), name + told[-1])


def _in_double(batch: Batch) -> Batch:
    x, targets = batch
    return (x.double() if x.is_floating_point() else x), targets
