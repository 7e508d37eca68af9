"""What the measured cells say about growth: exponents with their spread, and where one backend overtakes the other.

Only measured cells are used, and nothing between them is invented: a crossover is a pair of neighbouring sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas

from backends.mps.layout import Layout

QUANTITIES = {"step_seconds": "seconds of a training step", "stored_bytes": "bytes kept for the backward"}
_LARGE = 10  # qubits from which the statevector's arithmetic shows; below, calls and threads take the time


@dataclass(frozen=True)
class Crossover:
    """Between `below` and `above` qubits the MPS becomes the cheaper one; `why`: measured, or the other over budget."""

    max_bond: int
    below: int | None
    above: int
    why: str


def truncates(qubits: int, max_bond: int | None) -> bool:
    """Return whether a bond dimension binds at all; if not, the MPS holds all amplitudes in one block."""
    return Layout.of(qubits, max_bond).n_sites > 1


def break_even(max_bond: int) -> int:
    """Return the smallest number of qubits whose amplitudes are more numbers than the tensors of such an MPS."""
    max_bond = int(max_bond)
    n = 2
    while True:
        shapes = Layout.of(n, max_bond).shapes()
        if len(shapes) > 1 and 2**n > sum(left * width * right for left, width, right in shapes):
            return n
        n += 1


def medians(table: pandas.DataFrame, quantity: str) -> pandas.DataFrame:
    """Return median, lowest and highest value over the seeds, and their number, by backend, max_bond and qubits."""
    done = table[(table["status"] == "done") & table[quantity].notna()]
    groups = done.groupby(["backend", "max_bond", "qubits"], dropna=False)[quantity]
    return groups.agg(median="median", low="min", high="max", seeds="count").reset_index()


def exponents(table: pandas.DataFrame) -> pandas.DataFrame:
    """Fit, seed by seed, how each quantity grows; mean and standard deviation of the exponent over the seeds.

    statevector: 2^(k n), from 10 qubits on. mps: n^k at each bond dimension that binds, max_bond^k at each n.
    """
    done = table[table["status"] == "done"]
    exact = done[(done["backend"] == "statevector") & (done["qubits"] >= _LARGE)]
    bound = [truncates(int(row.qubits), _bond(row.max_bond)) for row in done.itertuples()]
    mps = done[np.array(bound, bool) & (done["backend"] == "mps")]
    rows = []
    for quantity in QUANTITIES:
        rows.append(_row(quantity, "statevector", "", "2^(k n)", exact.assign(x=exact["qubits"].astype(float)), 2.0))
        for bond, part in mps.groupby("max_bond"):
            rows.append(_row(quantity, "mps", f"max_bond {bond:g}", "n^k", part.assign(x=_log(part["qubits"])), math.e))
        for n, part in mps.groupby("qubits"):
            rows.append(_row(quantity, "mps", f"n = {n}", "max_bond^k", part.assign(x=_log(part["max_bond"])), math.e))
    return pandas.DataFrame([row for row in rows if row is not None])


def crossovers(table: pandas.DataFrame, quantity: str = "step_seconds") -> list[Crossover]:
    """Return for every bond dimension where the MPS overtakes the statevector, if it does among the measured sizes."""
    found = medians(table, quantity)
    exact = found[found["backend"] == "statevector"].set_index("qubits")["median"]
    beyond = table[(table["backend"] == "statevector") & (table["status"] == "over_budget")]["qubits"]
    crossed = []
    for bond, part in found[found["backend"] == "mps"].groupby("max_bond"):
        own = {
            int(n): value for n, value in zip(part["qubits"], part["median"], strict=True) if truncates(n, int(bond))
        }
        below: int | None = None
        for n, value in sorted(own.items()):
            if n in exact.index and value < exact[n]:
                crossed.append(Crossover(int(bond), below, n, "measured"))
                break
            if n not in exact.index and n in set(beyond):
                crossed.append(Crossover(int(bond), below, n, "the statevector is over budget"))
                break
            below = n if n in exact.index else below
    return crossed


def _row(
    quantity: str, backend: str, at: str, model: str, part: pandas.DataFrame, base: float
) -> dict[str, object] | None:
    """Fit log(quantity) = k x log(base) + constant for every seed; None where no seed has three sizes."""
    slopes = []
    for _, seed in part.groupby("seed"):
        if seed["x"].nunique() >= 3:
            slopes.append(float(np.polyfit(seed["x"], _log(seed[quantity]) / math.log(base), 1)[0]))
    if not slopes:
        return None
    return {
        "quantity": QUANTITIES[quantity],
        "backend": backend,
        "at": at,
        "model": model,
        "k": round(float(np.mean(slopes)), 3),
        "std over seeds": round(float(np.std(slopes, ddof=1)), 3) if len(slopes) > 1 else None,
        "seeds": len(slopes),
        "sizes": int(part["x"].nunique()),
        "qubits from": int(part["qubits"].min()),
        "qubits to": int(part["qubits"].max()),
    }


def _log(values: pandas.Series) -> pandas.Series:
    return np.log(values.astype(float))


def _bond(value: Any) -> int | None:
    return None if pandas.isna(value) else int(value)
