"""The tables that a benchmark prints."""

from __future__ import annotations

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from studies.benchmark.measure import Measurement
from studies.benchmark.mps_measure import MPSMeasurement
from studies.benchmark.phases import measure_phases
from studies.benchmark.workload import Workload


def statevector_table(measurements: list[Measurement]) -> Table:
    """Every simulator on every ring."""
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


def phases_table(measured: Measurement) -> Table:
    """Where the time of our step goes; what the phases do not explain is Python, autograd and waiting for threads."""
    sizes = (measured.n_qubits, measured.n_layers, measured.batch, measured.timesteps)
    cores = torch.get_num_threads()
    phases = {name: seconds / cores for name, seconds in measure_phases(Workload(*sizes)).items()}
    phases["the rest: Python, autograd, threads, memory"] = measured.step_seconds - sum(phases.values())
    table = Table(title="n, L, B, T = {}, {}, {}, {}".format(*sizes), box=SIMPLE_HEAD)
    table.add_column("phase of a training step")
    table.add_column(f"ms, over {cores} threads", justify="right")
    table.add_column("share", justify="right")
    for name, seconds in phases.items():
        table.add_row(name, f"{1e3 * seconds:.2f}", f"{100 * seconds / measured.step_seconds:.0f} %")
    return table


def mps_table(measurements: list[MPSMeasurement]) -> Table:
    """Every simulator on every chain."""
    table = Table(
        title="one training step: forward and backward, chain of CRX, all readouts",
        caption="n, L, B, T, χ: qubits, layers, batch, timesteps, max_bond. first: first call, s. Other times in ms: "
        "forward and backward of a step, forward alone; x: over ours. stored, peak: MiB kept for the backward, and of "
        "resident memory. readout, gradient, cosine: against exact simulation. discarded: weight, as it is reported.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    headings = ("n", "L", "B", "T", "χ", "first", "forward", "backward", "x", "alone", "x", "stored", "peak")
    for heading in ("simulator", *headings, "readout", "gradient", "cosine", "discarded"):
        table.add_column(heading, justify="left" if heading == "simulator" else "right", no_wrap=True)
    for m in measurements:
        table.add_row(
            m.simulator,
            *(str(size) for size in (m.n_qubits, m.n_layers, m.batch, m.timesteps, m.max_bond)),
            f"{m.first_call_seconds:.1f}",
            _number(m.forward_seconds, "{:.1f}", 1e3),
            _number(m.backward_seconds, "{:.1f}", 1e3),
            _number(m.times_ours, "{:.1f}"),
            f"{1e3 * m.forward_only_seconds:.1f}",
            f"{m.forward_only_times_ours:.1f}",
            _number(m.stored_bytes or None, "{:.1f}", 2**-20),
            _number(m.peak_bytes, "{:.0f}", 2**-20),
            _number(m.readout_error, "{:.0e}"),
            _number(m.gradient_error, "{:.0e}"),
            _number(m.gradient_cosine, "{:.6f}"),
            _number(m.discarded_weight, "{:.1e}"),
        )
    return table


def _number(value: float | None, form: str, factor: float = 1.0) -> str:
    return "-" if value is None else form.format(factor * value)
