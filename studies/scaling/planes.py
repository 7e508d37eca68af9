"""Which backend is the faster one, in the plane of qubits and bond dimension."""

from __future__ import annotations

from typing import Any

import pandas
from matplotlib.ticker import NullLocator

from studies.plots import Album
from studies.scaling.fits import break_even, cheaper, medians, truncates
from studies.style import COLOURS, EXACT

# Told apart by form as well: filled, hollow, crosses.
LOOKS: dict[str, Any] = {
    "MPS faster": {"marker": "o", "color": COLOURS[0]},
    "MPS measured, statevector over budget": {"marker": "D", "color": COLOURS[0]},
    "statevector faster": {"marker": "s", "color": COLOURS[1], "markerfacecolor": "none"},
    "ranges over the seeds overlap": {"marker": "D", "color": EXACT, "markerfacecolor": "none"},
    "χ does not bind: both are exact": {"marker": ".", "color": EXACT},
    "not measured on both": {"marker": "1", "color": EXACT},
    "MPS over budget": {"marker": "x", "color": COLOURS[1]},
}
_FASTER = {"mps": "MPS faster", "statevector": "statevector faster", None: "ranges over the seeds overlap"}


def verdicts(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return, for every bond dimension and number of qubits in the grid, which backend is faster, and by how much.

    Faster is who is so with every seed. `ratio`: seconds of the statevector over those of the MPS, medians over the
    seeds; empty where one was not measured.
    """
    found = list(medians(table, "step_seconds").iterrows())
    exact = {row["qubits"]: row for _, row in found if row["backend"] == "statevector"}
    own = {(row["max_bond"], row["qubits"]): row for _, row in found if row["backend"] == "mps"}
    over = {
        (row.backend, row.max_bond if row.backend == "mps" else None, row.qubits)
        for row in table[table["status"] == "over_budget"].itertuples()
    }
    rows = []
    for (bond, n), _ in table[table["backend"] == "mps"].groupby(["max_bond", "qubits"]):
        both = n in exact and (bond, n) in own and own[bond, n]["median"] > 0
        ratio = exact[n]["median"] / own[bond, n]["median"] if both else None
        if not truncates(int(n), int(bond)):
            verdict = "χ does not bind: both are exact"
        elif ratio is not None:
            verdict = _FASTER[cheaper(own[bond, n], exact[n])]
        elif (bond, n) in own and ("statevector", None, n) in over:
            verdict = "MPS measured, statevector over budget"
        elif ("mps", bond, n) in over:
            verdict = "MPS over budget"
        else:
            verdict = "not measured on both"
        rows.append({"max_bond": int(bond), "qubits": int(n), "verdict": verdict, "ratio": ratio})
    return pandas.DataFrame(rows)


def draw_plane(album: Album, name: str, table: pandas.DataFrame, about: str) -> None:
    """Draw the verdicts, and the line on which both states are the same number of numbers."""
    data = verdicts(table)
    data["memory_break_even_qubits"] = [break_even(bond) for bond in data["max_bond"]]
    caption = (
        "Which backend takes less time for a training step, with every seed. The line is the memory break-even: from "
        f"there on, to the right, the MPS is fewer numbers than all amplitudes. {about}."
    )
    bonds, sizes = sorted(data["max_bond"].unique()), sorted(data["qubits"].unique())
    shown = sizes[:: 1 + len(sizes) // 10]
    title, y = f"who is faster, {album.seeds}", "bond dimension χ"
    with album.axes(name, caption, data, title=title, x="qubits n", y=y, width=7.5) as axes:
        for verdict, style in LOOKS.items():
            part = data[data["verdict"] == verdict]
            if len(part):
                axes.plot(part["qubits"], part["max_bond"], linestyle="none", label=verdict, **style)
        axes.plot([break_even(bond) for bond in bonds], bonds, color=EXACT, linestyle="--", label="memory break-even")
        axes.set_yscale("log", base=2)
        axes.set_xscale("log")
        axes.set_yticks(bonds, [str(bond) for bond in bonds])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(shown, [str(n) for n in shown])
        axes.minorticks_off()
