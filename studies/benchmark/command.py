"""`tnqrnn benchmark`: a training step of the statevector backend, beside other simulators where they are installed."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
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
from studies.benchmark.measure import OURS, Measurement, bandwidth, measure, peak_flops
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
    parser.add_argument("--batch", type=int, default=32, help="samples (%(default)s)")
    parser.add_argument("--layers", type=int, default=2, help="layers of the circuit (%(default)s)")
    parser.add_argument("--timesteps", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="turns; medians are reported (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"), help="folder of the results (%(default)s)")
    return parser


def _run(argv: Sequence[str]) -> None:
    settings = _parser().parse_args(argv)
    for name in ("batch", "layers", "timesteps", "repeats"):
        require_positive_int("tnqrnn benchmark", f"--{name}", getattr(settings, name))
    for n_qubits in settings.qubits:
        if n_qubits < 2:
            raise InvalidInput(f"tnqrnn benchmark: --qubits must be at least 2 for a ring, got {n_qubits}.")
    for rival in settings.rivals:
        require_choice("tnqrnn benchmark", "rival", rival, RIVALS)
    require_writable(settings.out, "--out")
    peak, bytes_per_second = peak_flops(), bandwidth()
    print(
        f"this machine: {peak / 1e9:.0f} GFlop/s in a matrix product, {bytes_per_second / 1e9:.1f} GB/s in a copy, "
        f"{torch.get_num_threads()} threads",
        flush=True,
    )
    measurements: list[Measurement] = []
    for n_qubits in settings.qubits:
        workload = Workload(n_qubits, settings.layers, settings.batch, settings.timesteps)
        print(f"measuring {n_qubits} qubits", flush=True)
        measurements += measure([OURS, *settings.rivals], workload, settings.repeats, peak)
        _write(measurements, settings.out, peak, bytes_per_second)
    Console(width=110).print(_table(measurements))
    print(f"table:   {settings.out / 'benchmark.csv'}")
    for figure in draw(measurements, settings.out):
        print(f"figure:  {figure}")


def _write(measurements: list[Measurement], folder: Path, peak: float, bytes_per_second: float) -> None:
    """After every size, so that an interrupted benchmark keeps what it has."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "benchmark.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(measurements[0].row()))
        writer.writeheader()
        writer.writerows(measurement.row() for measurement in measurements)
    machine = {"peak_flops": peak, "bandwidth": bytes_per_second}
    write_json(folder / "env.json", {**environment("cpu", ""), **machine})


def _table(measurements: list[Measurement]) -> Table:
    first = measurements[0]
    table = Table(
        title=f"one training step: {first.n_layers} layers, ring, batch {first.batch}, {first.timesteps} timesteps",
        caption="first: first call. stored: kept for the backward. error: of the gradient, relative, to complex128. "
        "of peak: counted operations over this machine's matrix product.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in (
        "simulator",
        "n",
        "first s",
        "forward ms",
        "backward ms",
        "x ours",
        "stored MiB",
        "error",
        "of peak",
    ):
        table.add_column(heading, justify="left" if heading == "simulator" else "right", no_wrap=True)
    for m in measurements:
        table.add_row(
            m.simulator,
            str(m.n_qubits),
            f"{m.first_call_seconds:.1f}",
            f"{1e3 * m.forward_seconds:.1f}",
            f"{1e3 * m.backward_seconds:.1f}",
            f"{m.times_ours:.1f}",
            f"{m.stored_bytes / 2**20:.1f}" if m.stored_bytes else "-",
            f"{m.gradient_error:.0e}",
            f"{100 * m.of_peak:.0f} %" if m.simulator.startswith("tnqrnn") else "",
        )
    return table
