"""What the measured cells say about growth: exponents with their spread, and where one backend overtakes the other.

Only measured cells are used, and nothing between them is invented: a crossover is a pair of measured sizes. Which of
two is cheaper is said only where it is so with every seed: where the ranges over the seeds overlap, it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas

from backends.mps.layout import Layout
from studies.fits import slope_over_seeds

QUANTITIES = {"step_seconds": "seconds of a training step", "stored_bytes": "bytes kept for the backward"}
_LARGE = 10  # qubits from which the statevector's arithmetic shows; below, calls and threads take the time


@dataclass(frozen=True)
class Crossover:
    """Between `below` and `above` qubits the MPS becomes the cheaper one for good, as far as was measured.

    `below`: the largest size at which the statevector is cheaper; `above`: the smallest beyond it at which the MPS is;
    None where no size shows it. `why`: measured, or the other over budget, and at which sizes neither can be said.
    """

    max_bond: int
    below: int | None
    above: int | None
    why: str


def cheaper(own: pandas.Series, exact: pandas.Series) -> str | None:
    """Say which is cheaper with every seed, by `low` and `high` over the seeds; None where the ranges overlap."""
    if own["high"] < exact["low"]:
        return "mps"
    return "statevector" if exact["high"] < own["low"] else None


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
    """Return for every bond dimension where the MPS overtakes the statevector, if it may among the measured sizes."""
    found = medians(table, quantity)
    exact = found[found["backend"] == "statevector"].set_index("qubits")
    beyond = set(table[(table["backend"] == "statevector") & (table["status"] == "over_budget")]["qubits"])
    crossed = [
        _crossover(int(bond), part.set_index("qubits").sort_index(), exact, beyond)
        for bond, part in found[found["backend"] == "mps"].groupby("max_bond")
    ]
    return [crossover for crossover in crossed if crossover is not None]


def _crossover(bond: int, own: pandas.DataFrame, exact: pandas.DataFrame, beyond: set[int]) -> Crossover | None:
    sizes = [int(n) for n in own.index if truncates(int(n), bond)]
    said = {n: cheaper(own.loc[n], exact.loc[n]) for n in sizes if n in exact.index}
    below = max((n for n, who in said.items() if who == "statevector"), default=None)
    left = [n for n in sizes if n > (below or 0)]
    faster = [n for n in left if said.get(n) == "mps"]
    alone = [n for n in left if n not in exact.index and n in beyond]
    undecided = [n for n in left if n in said and said[n] is None]
    above = min(faster or alone, default=None)
    if above is None and not undecided:
        return None
    why = ["measured" if faster else "the statevector is over budget"] if above is not None else []
    if undecided:
        why.append(f"not distinguishable at {', '.join(map(str, undecided))} qubits")
    if pandas.concat([own["seeds"], exact["seeds"]]).max() == 1:
        why.append("one seed, so without a spread")
    return Crossover(bond, below, above, "; ".join(why))


def _row(
    quantity: str, backend: str, at: str, model: str, part: pandas.DataFrame, base: float
) -> dict[str, object] | None:
    """Fit log(quantity) = k x log(base) + constant for every seed; None where no seed has three sizes."""
    seeds = [seed for _, seed in part.groupby("seed") if seed["x"].nunique() >= 3]
    found = slope_over_seeds([(seed["x"], _log(seed[quantity]) / math.log(base)) for seed in seeds])
    if found is None:
        return None
    return {
        "quantity": QUANTITIES[quantity],
        "backend": backend,
        "at": at,
        "model": model,
        "k": round(found.mean, 3),
        "std over seeds": round(found.std, 3) if found.seeds > 1 else None,
        "seeds": found.seeds,
        "sizes": int(part["x"].nunique()),
        "qubits from": int(part["qubits"].min()),
        "qubits to": int(part["qubits"].max()),
    }


def _log(values: pandas.Series) -> pandas.Series:
    return np.log(values.astype(float))


def _bond(value: Any) -> int | None:
    return None if pandas.isna(value) else int(value)
