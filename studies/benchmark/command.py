"""`tnqrnn benchmark`: a training step of the statevector backend, beside other simulators where they are installed."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from backends.errors import InvalidInput, require_choice, require_positive_int
from lightning_modules.cli import exit_code
from lightning_modules.run_directory import environment, require_writable, write_json
from studies.arguments import Parser
from studies.benchmark.figures import draw
from studies.benchmark.measure import OURS, Machine, Measurement, measure
from studies.benchmark.memory import peak_bytes
from studies.benchmark.phases import measure_phases
from studies.benchmark.workload import Workload

RIVALS = ("tnqrnn_reversible", "eager", "flagquantum", "tensorcircuit")


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 2 refused."""
    return exit_code(lambda: _run(argv))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tnqrnn benchmark",
        description="Time, memory and arithmetic of one training step (forward and backward), ours and others'.",
        allow_abbrev=False,
    )
    parser.add_argument("--qubits", type=int, nargs="+", default=[8, 10], metavar="N", help="(%(default)s)")
    parser.add_argument(
        "--rivals", nargs="*", default=["eager"], metavar="NAME", help=f"any of {', '.join(RIVALS)} (%(default)s)"
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[32], metavar="B", help="samples (%(default)s)")
    parser.add_argument("--layers", type=int, nargs="+", default=[2], metavar="L", help="of the circuit (%(default)s)")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[8], metavar="T", help="(%(default)s)")
    parser.add_argument(
        "--peak-memory", action="store_true", help="also measure the peak of the memory, in a process of its own"
    )
    parser.add_argument(
        "--phases", action="store_true", help="also show where the time of our kernel goes, for each size"
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns; medians are reported (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"), help="folder of the results (%(default)s)")
    return parser


def _run(argv: Sequence[str]) -> None:
    settings = _parser().parse_args(argv)
    grid = {name: getattr(settings, name) for name in ("qubits", "layers", "batch", "timesteps")}
    for name, values in {**grid, "repeats": [settings.repeats]}.items():
        for value in values:
            require_positive_int("tnqrnn benchmark", f"--{name}", value)
    if min(grid["qubits"]) < 2:
        raise InvalidInput(f"tnqrnn benchmark: --qubits must be at least 2 for a ring, got {min(grid['qubits'])}.")
    for rival in settings.rivals:
        require_choice("tnqrnn benchmark", "rival", rival, RIVALS)
    require_writable(settings.out, "--out")
    machine = Machine.here()
    print(
        f"this machine: {machine.flops / 1e9:.0f} GFlop/s in a matrix product, {machine.bandwidth / 1e9:.1f} GB/s in a "
        f"copy, {torch.get_num_threads()} threads",
        flush=True,
    )
    measurements: list[Measurement] = []
    for workload in (Workload(*sizes) for sizes in product(*grid.values())):
        print(f"measuring {workload}", flush=True)
        measured = measure([OURS, *settings.rivals], workload, settings.repeats, machine)
        if settings.peak_memory:
            measured = [replace(m, peak_bytes=peak_bytes(m.simulator, workload)) for m in measured]
        measurements += measured
        _write(measurements, settings.out, machine)
    Console(width=130).print(_table(measurements))
    if settings.phases:
        for ours in (m for m in measurements if m.simulator == OURS):
            Console(width=130).print(_phases(ours))
    print(f"table:   {settings.out / 'benchmark.csv'}")
    for figure in draw(measurements, settings.out):
        print(f"figure:  {figure}")


def _write(measurements: list[Measurement], folder: Path, machine: Machine) -> None:
    """After every size, so that an interrupted benchmark keeps what it has."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "benchmark.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(measurements[0].row()))
        writer.writeheader()
        writer.writerows(measurement.row() for measurement in measurements)
    write_json(folder / "env.json", {**environment("cpu", ""), "machine": asdict(machine)})


def _table(measurements: list[Measurement]) -> Table:
    table = Table(
        title="one training step: forward and backward, ring of CRX, all readouts",
        caption="n, L, B, T: qubits, layers, batch, timesteps. first: first call. stored: kept for the backward. peak: "
        "of the resident memory, above the start. error: of the gradient, relative, to complex128. floor: counted "
        "operations at this machine's matrix product, over the time.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    headings = ("n", "L", "B", "T", "first s", "forward ms", "backward ms", "x ours", "stored MiB", "peak MiB", "error")
    for heading in ("simulator", *headings, "floor"):
        table.add_column(heading, justify="left" if heading == "simulator" else "right", no_wrap=True)
    for m in measurements:
        table.add_row(
            m.simulator,
            *(str(size) for size in (m.n_qubits, m.n_layers, m.batch, m.timesteps)),
            f"{m.first_call_seconds:.1f}",
            f"{1e3 * m.forward_seconds:.1f}",
            f"{1e3 * m.backward_seconds:.1f}",
            f"{m.times_ours:.1f}",
            f"{m.stored_bytes / 2**20:.1f}" if m.stored_bytes else "-",
            "-" if m.peak_bytes is None else f"{m.peak_bytes / 2**20:.0f}",
            f"{m.gradient_error:.0e}",
            f"{100 * m.of_peak:.0f} %" if m.simulator.startswith("tnqrnn") else "",
        )
    return table


def _phases(measured: Measurement) -> Table:
    """Where the time of our step goes; what the phases do not explain is Python, autograd and waiting for threads."""
    sizes = (measured.n_qubits, measured.n_layers, measured.batch, measured.timesteps)
    cores = torch.get_num_threads()
    phases = {name: seconds / cores for name, seconds in measure_phases(Workload(*sizes)).items()}
    phases["the rest: Python, autograd, threads, memory"] = measured.step_seconds - sum(phases.values())
    table = Table(title="n, L, B, T = {}, {}, {}, {}".format(*sizes), box=SIMPLE_HEAD)
    table.add_column("phase of a training step")
    table.add_column(f"ms, over {cores} cores", justify="right")
    table.add_column("share", justify="right")
    for name, seconds in phases.items():
        table.add_row(name, f"{1e3 * seconds:.2f}", f"{100 * seconds / measured.step_seconds:.0f} %")
    return table
