"""`tnqrnn benchmark`: a training step of either backend, beside other simulators where they are installed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import pandas
import torch
from rich.console import Console

from backends.errors import InvalidInput, require_choice, require_positive_int
from backends.memory import require_memory
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.run_directory import environment, write_json
from studies.arguments import Parser
from studies.benchmark.figures import draw
from studies.benchmark.measure import Machine, measure
from studies.benchmark.memory import peak_bytes
from studies.benchmark.simulators import OURS, RIVALS
from studies.benchmark.tables import measured_table, phases_table
from studies.benchmark.workload import Workload
from studies.fresh_folder import fresh_folder

# What is measured where the command line does not say.
DEFAULTS: dict[str, dict[str, Any]] = {
    "statevector": {"qubits": [8, 10], "batch": [32], "timesteps": [8], "rivals": ["eager"], "max_bond": []},
    "mps": {"qubits": [12], "batch": [16], "timesteps": [4], "rivals": ["tnqrnn_torch"], "max_bond": [16]},
}
WHO = "tnqrnn benchmark"
TABLE = "benchmark.csv"


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 2 refused."""
    return exit_code(lambda: _run(argv))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=WHO,
        description="Time, memory and errors of one training step (forward and backward), ours and others'.",
        allow_abbrev=False,
    )
    default = {name: " or ".join(" ".join(map(str, of[name])) for of in DEFAULTS.values()) for name in DEFAULTS["mps"]}
    parser.add_argument(
        "--backend",
        default="statevector",
        metavar="NAME",
        help="statevector, on a ring, or mps, on a chain (%(default)s)",
    )
    rivals = "; ".join(f"{name}: {', '.join(others)}" for name, others in RIVALS.items())
    parser.add_argument("--rivals", nargs="*", metavar="NAME", help=f"{rivals} ({default['rivals']})")
    parser.add_argument("--qubits", type=int, nargs="+", metavar="N", help=f"({default['qubits']})")
    parser.add_argument("--batch", type=int, nargs="+", metavar="B", help=f"samples ({default['batch']})")
    parser.add_argument("--layers", type=int, nargs="+", default=[2], metavar="L", help="of the circuit (%(default)s)")
    parser.add_argument("--timesteps", type=int, nargs="+", metavar="T", help=f"({default['timesteps']})")
    parser.add_argument("--max-bond", type=int, nargs="+", metavar="CHI", help="largest bond of the mps (16)")
    parser.add_argument(
        "--segment-length",
        type=int,
        metavar="S",
        help="timesteps after which ours keeps the state, those between being computed again (all is kept)",
    )
    parser.add_argument(
        "--peak-memory", action="store_true", help="also measure the peak of the memory, in a process of its own"
    )
    parser.add_argument(
        "--phases", action="store_true", help="also show where the time of the statevector's kernel goes, for each size"
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns; medians are reported (%(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/benchmark"),
        help="folder of the results; numbered where one has a table (%(default)s)",
    )
    return parser


def _run(argv: Sequence[str]) -> None:
    settings = _checked(_parser().parse_args(argv))
    machine = Machine.here()
    print(
        f"this machine: {machine.flops / 1e9:.0f} GFlop/s in a matrix product, {machine.bandwidth / 1e9:.1f} GB/s in a "
        f"copy, {torch.get_num_threads()} threads",
        flush=True,
    )
    ours, rows = OURS[settings.backend], list[dict[str, Any]]()
    for workload in _workloads(settings):
        print(f"measuring {workload}", flush=True)
        for row in measure([ours, *settings.rivals], workload, settings.repeats, machine):
            peak = peak_bytes(row["simulator"], workload) if settings.peak_memory else None
            rows.append({**row, "peak_bytes": peak})
        table = pandas.DataFrame(rows)
        _write(table, settings.out, machine)
    console = Console(width=180 if settings.backend == "mps" else 130)
    console.print(measured_table(table, settings.backend))
    if settings.phases:
        for _, row in table[table["simulator"] == ours].iterrows():
            console.print(phases_table(row))
    print(f"table:   {settings.out / TABLE}")
    for figure in draw(table, settings.out):
        print(f"figure:  {figure}")


def _checked(settings: argparse.Namespace) -> argparse.Namespace:
    """The settings with what the backend's defaults add; refuses what cannot be measured."""
    require_choice(WHO, "backend", settings.backend, DEFAULTS)
    if settings.backend != "mps" and settings.max_bond is not None:
        raise InvalidInput(f"{WHO}: --max-bond is a setting of --backend mps; leave it out.")
    if settings.backend == "mps" and settings.phases:
        raise InvalidInput(f"{WHO}: --phases shows the statevector's kernel; leave it out with --backend mps.")
    for name, value in DEFAULTS[settings.backend].items():
        if getattr(settings, name) is None:
            setattr(settings, name, value)
    grid = {name: getattr(settings, name) for name in ("qubits", "layers", "batch", "timesteps", "max_bond")}
    single = {name: getattr(settings, name) for name in ("repeats", "segment_length")}
    for name, values in {**grid, **{name: [value] for name, value in single.items() if value is not None}}.items():
        for value in values:
            require_positive_int(WHO, f"--{name.replace('_', '-')}", value)
    if min(settings.qubits) < 2:
        raise InvalidInput(f"{WHO}: --qubits must be at least 2, to have a bond, got {min(settings.qubits)}.")
    # At most so many angles in single precision: three on every qubit of a layer.
    angles = 3 * max(settings.qubits) * max(settings.layers) * max(settings.batch) * max(settings.timesteps)
    smaller = "Use fewer --qubits, --layers, --batch or --timesteps."
    require_memory(WHO, "the angles", 4 * angles, torch.device("cpu"), smaller)
    for rival in settings.rivals:
        require_choice(WHO, "rival", rival, RIVALS[settings.backend])
    if settings.segment_length is not None and "tnqrnn_reversible" in settings.rivals:
        raise InvalidInput(
            f"{WHO}: tnqrnn_reversible stores no state that --segment-length could spare; leave one out."
        )
    settings.out = fresh_folder(settings.out, TABLE)
    return settings


def _workloads(settings: argparse.Namespace) -> list[Workload]:
    sizes = product(settings.qubits, settings.layers, settings.batch, settings.timesteps)
    bonds = settings.max_bond or [None]  # None: a statevector
    return [Workload(*size, settings.segment_length, bond) for size in sizes for bond in bonds]


def _write(table: pandas.DataFrame, folder: Path, machine: Machine) -> None:
    """After every size, so that an interrupted benchmark keeps what it has."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / TABLE, index=False)
    write_json(folder / "env.json", {**environment("cpu", ""), "machine": asdict(machine)})
