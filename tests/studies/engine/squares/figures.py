from pathlib import Path

import pandas

from studies.engine.drawing import Drawn, drawing, seeds_in


def figures(table: pandas.DataFrame, out: Path) -> list[Drawn]:
    drawn: list[Drawn] = []
    done = table[table["status"] == "done"]
    if done.empty:
        return drawn
    data = done[["number", "kind", "seed", "square"]]
    with drawing(drawn, out, "squares", f"Squares against numbers, {seeds_in(table)}.", data) as canvas:
        axes = canvas.add_subplot()
        axes.plot(data["number"], data["square"], "o")
        axes.set_xlabel("number (no unit)")
        axes.set_ylabel("square (no unit)")
    return drawn
