"""The result of a comparison: one row per backend setting, and the curves behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor

from studies.compare.measure import Deviation

TABLE = "comparison.csv"


@dataclass(frozen=True)
class Row:
    """One setting. The exact backend has `max_bond` None and zeros for every error.

    `metric` and `loss` on the test set. Readout errors: root mean square over samples, timesteps and readouts, and
    largest; closed loop feeds the readouts back, open loop is driven by the exact run's angles. Infidelity, its bound
    and the truncation error: open loop, after the last timestep, mean and largest over samples. Gradient: cosine with
    the exact one and relative norm of the difference. Entropy in nats. Seconds of one training step (forward and
    backward of a batch) and bytes kept for the backward, both per timestep.
    """

    backend: str
    max_bond: int | None
    metric: float
    loss: float
    readout_rms_closed: float
    readout_max_closed: float
    readout_rms_open: float
    infidelity_mean: float
    infidelity_max: float
    infidelity_bound_mean: float
    infidelity_bound_max: float
    truncation_error_mean: float
    gradient_cosine: float
    gradient_error: float
    largest_entropy: float
    seconds_per_timestep: float
    stored_bytes_per_timestep: int


@dataclass(frozen=True)
class Comparison:
    """All rows, the exact one first, with what the figures need besides.

    `deviations` by max_bond; `exact_entropy` (T, n - 1) in nats, the largest over `samples` sequences.
    """

    task: str
    metric_name: str
    n_qubits: int
    timesteps: int
    samples: int
    rows: list[Row]
    deviations: dict[int, Deviation]
    exact_entropy: Tensor

    @property
    def exact(self) -> Row:
        """The exact backend's row."""
        return self.rows[0]

    @property
    def truncated(self) -> list[Row]:
        """The other rows, in the order of their bond dimension."""
        return self.rows[1:]

    @property
    def bonds(self) -> list[int]:
        """The bond dimensions, in the order of `truncated`."""
        return [row.max_bond for row in self.truncated if row.max_bond is not None]

    def write_csv(self, path: Path) -> None:
        """Write the rows, one line each."""
        pandas.DataFrame(self.rows).astype({"max_bond": "Int64"}).to_csv(path, index=False)

    def as_table(self) -> Table:
        """Return the table that is printed; the caption says what the columns mean."""
        table = Table(
            title=f"{self.task}: exact against MPS, {self.n_qubits} qubits, the same weights",
            caption=(
                f"{self.metric_name}: whole test set. Errors: {self.samples} test sequences. readout: rms of z - "
                "z_exact, readouts fed back. infidelity and the ledger's bound on it: driven by the exact run's "
                "angles, last timestep, worst sample. gradient: cosine with the exact one. entropy: largest, in nats. "
                "Time (forward and backward) and memory kept for the backward: of one training batch, per timestep."
            ),
            caption_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 0),
        )
        rows = [_cells(row, self.metric_name) for row in self.rows]
        for heading in rows[0]:
            table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row.values())
        return table


def _cells(row: Row, metric_name: str) -> dict[str, str]:
    exact = row.max_bond is None
    return {
        "state": "exact" if exact else f"χ = {row.max_bond}",
        metric_name: f"{row.metric:.4f}",
        "readout": "" if exact else f"{row.readout_rms_closed:.1e}",
        "infidelity": "" if exact else f"{row.infidelity_max:.1e}",
        "bound": "" if exact else f"{row.infidelity_bound_max:.1e}",
        "gradient": "" if exact else f"{row.gradient_cosine:.5f}",
        "entropy": f"{row.largest_entropy:.3f}",
        "ms": f"{1e3 * row.seconds_per_timestep:.2f}",
        "MiB": f"{row.stored_bytes_per_timestep / 2**20:.2f}",
    }
