"""The table of a comparison, for a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from studies.compare.rows import Comparison, Row


def comparison_table(comparison: Comparison) -> Table:
    """Return the table; the caption says what the columns mean."""
    table = Table(
        title=f"{comparison.task}: exact against MPS, {comparison.n_qubits} qubits, the same weights",
        caption=(
            f"{comparison.metric_name}: whole test set. Errors: {comparison.samples} test sequences. readout: rms of "
            "z - z_exact, readouts fed back. infidelity and the ledger's bound on it: driven by the exact run's "
            "angles, last timestep, worst sample. gradient: cosine with the exact one. entropy: largest, in nats. "
            "Time (forward and backward) and memory kept for the backward: of one training batch, per timestep."
        ),
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0),
    )
    for heading in (
        "state",
        comparison.metric_name,
        "readout",
        "infidelity",
        "bound",
        "gradient",
        "entropy",
        "ms",
        "MiB",
    ):
        table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
    for row in comparison.rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> list[str]:
    exact = row.max_bond is None
    return [
        row.label,
        f"{row.metric:.4f}",
        "" if exact else f"{row.readout_rms_closed:.1e}",
        "" if exact else f"{row.infidelity_max:.1e}",
        "" if exact else f"{row.infidelity_bound_max:.1e}",
        "" if exact else f"{row.gradient_cosine:.5f}",
        f"{row.largest_entropy:.3f}",
        f"{1e3 * row.seconds_per_timestep:.2f}",
        f"{row.stored_bytes_per_timestep / 2**20:.2f}",
    ]
