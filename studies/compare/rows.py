"""The result of a comparison: one row per backend setting, and the curves behind it."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

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

    @property
    def label(self) -> str:
        """The setting in a word."""
        return "exact" if self.max_bond is None else f"χ = {self.max_bond}"


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
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Row)])
            writer.writeheader()
            writer.writerows(asdict(row) for row in self.rows)
