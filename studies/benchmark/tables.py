"""The tables that a benchmark prints."""

from __future__ import annotations

from collections.abc import Sequence

import pandas
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from studies.benchmark.phases import measure_phases
from studies.benchmark.workload import Workload

SIZES = ("n_qubits", "n_layers", "batch", "timesteps")
_SIZES = tuple(zip(("n", "L", "B", "T"), SIZES, ("{}",) * 4, (1,) * 4, strict=True))
# Of every column: heading, what it shows, its format and a factor.
_COLUMNS = {
    "statevector": (
        *_SIZES,
        ("first s", "first_call_seconds", "{:.1f}", 1),
        ("forward ms", "forward_seconds", "{:.1f}", 1e3),
        ("backward ms", "backward_seconds", "{:.1f}", 1e3),
        ("x ours", "times_ours", "{:.1f}", 1),
        ("stored MiB", "stored_bytes", "{:.1f}", 2**-20),
        ("peak MiB", "peak_bytes", "{:.0f}", 2**-20),
        ("error", "gradient_error", "{:.0e}", 1),
        ("floor", "of_peak", "{:.0f} %", 100),
    ),
    "mps": (
        *_SIZES,
        ("χ", "max_bond", "{}", 1),
        ("first", "first_call_seconds", "{:.1f}", 1),
        ("forward", "forward_seconds", "{:.1f}", 1e3),
        ("backward", "backward_seconds", "{:.1f}", 1e3),
        ("x", "times_ours", "{:.1f}", 1),
        ("alone", "forward_only_seconds", "{:.1f}", 1e3),
        ("x", "forward_only_times_ours", "{:.1f}", 1),
        ("stored", "stored_bytes", "{:.1f}", 2**-20),
        ("peak", "peak_bytes", "{:.0f}", 2**-20),
        ("readout", "readout_error", "{:.0e}", 1),
        ("gradient", "gradient_error", "{:.0e}", 1),
        ("cosine", "gradient_cosine", "{:.6f}", 1),
        ("discarded", "discarded_weight", "{:.1e}", 1),
    ),
}
_CAPTIONS = {
    "statevector": "n, L, B, T: qubits, layers, batch, timesteps. first: first call. stored: kept for the backward. "
    "peak: of the resident memory, above the start. error: of the gradient, relative, to complex128. floor: counted "
    "operations at this machine's matrix product, over the time.",
    "mps": "n, L, B, T, χ: qubits, layers, batch, timesteps, max_bond. first: first call, s. Other times in ms: "
    "forward and backward of a step, forward alone; x: over ours. stored, peak: MiB kept for the backward, and of "
    "resident memory. readout, gradient, cosine: against exact simulation. discarded: weight, as it is reported.",
}


def measured_table(table: pandas.DataFrame, backend: str) -> Table:
    """Every simulator on every workload."""
    circuit = "ring" if backend == "statevector" else "chain"
    shown = _table(
        f"one training step: forward and backward, {circuit} of CRX, all readouts",
        ("simulator", *(heading for heading, *_ in _COLUMNS[backend])),
        _CAPTIONS[backend],
    )
    known = table.assign(
        stored_bytes=table["stored_bytes"].where(table["stored_bytes"] > 0),
        of_peak=table["of_peak"].where(table["simulator"].str.startswith("tnqrnn")),
    )
    for _, row in known.iterrows():
        texts = (_text(row[name], form, factor) for _, name, form, factor in _COLUMNS[backend])
        shown.add_row(row["simulator"], *texts)
    return shown


def phases_table(measured: pandas.Series) -> Table:
    """Where the time of our step goes; what the phases do not explain is Python, autograd and waiting for threads."""
    sizes, whole = [int(measured[size]) for size in SIZES], measured["step_seconds"]
    cores = torch.get_num_threads()
    phases = {name: seconds / cores for name, seconds in measure_phases(Workload(*sizes)).items()}
    phases["the rest: Python, autograd, threads, memory"] = whole - sum(phases.values())
    headings = ("phase of a training step", f"ms, over {cores} threads", "share")
    table = _table("n, L, B, T = {}, {}, {}, {}".format(*sizes), headings)
    for name, seconds in phases.items():
        table.add_row(name, f"{1e3 * seconds:.2f}", f"{100 * seconds / whole:.0f} %")
    return table


def _table(title: str, headings: Sequence[str], caption: str | None = None) -> Table:
    table = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _text(value: float, form: str, factor: float) -> str:
    return "-" if pandas.isna(value) else form.format(value if factor == 1 else factor * value)
