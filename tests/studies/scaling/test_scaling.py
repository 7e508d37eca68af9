"""The scaling study: its fits on numbers that are known, its measurement against the exact state, its files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from backends.mps.layout import Layout
from studies.engine.grid import Grid
from studies.engine.plan import Plan
from studies.scaling.command import STUDY
from studies.scaling.figures import figures
from studies.scaling.fits import Crossover, break_even, crossovers, exponents
from studies.scaling.planes import verdicts
from tnqrnn.__main__ import main

TINY = [
    *("--qubits", "4", "6", "--max-bond", "2", "--batch", "2", "--repeats", "1", "--samples", "1"),
    *("--steps", "1", "--test-samples", "2", "--seeds", "0", "--executor", "debug", "--jobs", "1"),
]


def made_up() -> pandas.DataFrame:
    """Return cells whose cost follows known laws: 2^n, and n^1.5 chi^2, with another constant for every seed."""
    rows: list[dict[str, Any]] = []
    shared = {"topology": "ring", "layers": 1, "config": "digits", "batch": 8, "timesteps": 8, "steps": 20}
    for seed, n in itertools.product((0, 1), (10, 12, 14, 16, 20, 40)):
        exact = n <= 16
        cost = (1 + seed) * 2.0**n if exact else None
        row = {**shared, "backend": "statevector", "max_bond": None, "qubits": n, "seed": seed}
        rows.append({**row, "status": "done" if exact else "over_budget", "step_seconds": cost, "stored_bytes": cost})
        for bond in (4, 8, 16):
            cost = (1 + seed) * 30 * n**1.5 * bond**2
            row = {**shared, "backend": "mps", "max_bond": bond, "qubits": n, "seed": seed}
            rows.append({**row, "status": "done", "step_seconds": cost, "stored_bytes": cost})
    table = pandas.DataFrame(rows)
    for part in ("forward_seconds", "backward_seconds", "readout_seconds", "peak_bytes"):
        table[part] = table["step_seconds"]
    return table


def test_exponents_are_found_with_their_spread() -> None:
    fitted = exponents(made_up())
    seconds = fitted[fitted["quantity"] == "seconds of a training step"].set_index(["backend", "at"])
    assert seconds.loc[("statevector", ""), "k"] == pytest.approx(1.0)
    assert seconds.loc[("statevector", ""), "qubits to"] == 16
    assert seconds.loc[("mps", "max_bond 4"), "k"] == pytest.approx(1.5)
    assert seconds.loc[("mps", "n = 40"), "k"] == pytest.approx(2.0)
    assert set(seconds["seeds"]) == {2}
    assert seconds["std over seeds"].to_numpy() == pytest.approx(0, abs=1e-6)


def test_an_exponent_needs_three_sizes_and_a_spread_two_seeds() -> None:
    table = made_up()
    fitted = exponents(table[(table["seed"] == 0) & (table["qubits"] <= 12)])
    assert set(fitted["model"]) == {"max_bond^k"}
    assert fitted["std over seeds"].isna().all()


def test_crossovers_lie_between_measured_sizes() -> None:
    found = {crossover.max_bond: crossover for crossover in crossovers(made_up())}
    # 30 n^1.5 16 against 2^n, the second seed twice as slow. At n = 12, from 20,000 against 8,192 at most; at 16, up to
    # 61,440 against 65,536 at least; at 14, 25,144 to 50,288 and 16,384 to 32,768 overlap. At max_bond 16, from 491,520
    # against 131,072 at most at n = 16, and beyond there is no other.
    assert found[4] == Crossover(4, 12, 16, "measured; not distinguishable at 14 qubits")
    assert found[16] == Crossover(16, 16, 20, "the statevector is over budget")


def timed(*rows: tuple[str, int, float]) -> pandas.DataFrame:
    """Return cells of χ = 4 and of the statevector, by backend, qubits and seconds of a step: a row per seed."""
    cells = [
        {"backend": backend, "max_bond": 4 if backend == "mps" else None, "qubits": n, "seed": seed,
         "status": "done", "step_seconds": seconds}
        for seed, (backend, n, seconds) in enumerate(rows)
    ]  # fmt: skip
    return pandas.DataFrame(cells)


def test_ranges_that_overlap_are_no_crossover() -> None:
    """The medians cross, 0.9 against 1.0, but one seed of the MPS is slower than one of the statevector."""
    overlapping = timed(("mps", 8, 0.7), ("mps", 8, 1.1), ("statevector", 8, 0.9), ("statevector", 8, 1.1))
    assert crossovers(overlapping) == [Crossover(4, None, None, "not distinguishable at 8 qubits")]
    assert list(verdicts(overlapping)["verdict"]) == ["ranges over the seeds overlap"]
    apart = timed(("mps", 8, 0.7), ("mps", 8, 0.8), ("statevector", 8, 0.9), ("statevector", 8, 1.1))
    assert crossovers(apart) == [Crossover(4, None, 8, "measured")]
    slower = timed(("mps", 8, 1.7), ("mps", 8, 1.8), ("statevector", 8, 0.9), ("statevector", 8, 1.1))
    assert crossovers(slower) == []
    once = timed(("mps", 8, 0.7), ("statevector", 8, 0.9))
    assert crossovers(once) == [Crossover(4, None, 8, "measured; one seed, so without a spread")]


def test_a_crossover_lies_beyond_the_last_size_at_which_the_statevector_is_faster() -> None:
    """Faster at 6, slower at 8, faster at 10: not faster from 6 on."""
    rows = [("mps", 6, 1.0), ("mps", 8, 1.0), ("mps", 10, 1.0)]
    rows += [("statevector", 6, 2.0), ("statevector", 8, 0.5), ("statevector", 10, 4.0)]
    [found] = crossovers(timed(*rows))
    assert (found.below, found.above) == (8, 10)


def test_the_memory_break_even_is_where_the_amplitudes_become_more() -> None:
    for bond in (2, 4, 16, 100):
        n = break_even(bond)
        numbers = [
            sum(left * width * right for left, width, right in Layout.of(size, bond).shapes()) for size in (n - 1, n)
        ]
        assert 2**n > numbers[1]
        assert 2 ** (n - 1) <= numbers[0]


def test_the_plane_tells_measured_from_over_budget() -> None:
    table = made_up()
    table.loc[(table["max_bond"] == 16) & (table["qubits"] == 40), "status"] = "over_budget"
    table.loc[(table["max_bond"] == 8) & (table["qubits"] == 12), "status"] = "missing"
    found = verdicts(table).set_index(["max_bond", "qubits"])["verdict"]
    assert found[4, 16] == "MPS faster"
    assert found[4, 10] == "statevector faster"
    assert found[4, 40] == "MPS measured, statevector over budget"
    assert found[16, 40] == "MPS over budget"
    assert found[8, 12] == "not measured on both"


def test_figures_are_drawn_of_whatever_there_is(tmp_path: Path) -> None:
    table = made_up()
    assert {drawn.name for drawn in figures(table, tmp_path)} >= {"scaling_time", "scaling_plane", "scaling_crossover"}
    assert figures(table.assign(status="missing"), tmp_path) == []
    exact = table[table["backend"] == "statevector"]
    assert "scaling_plane" not in {drawn.name for drawn in figures(exact, tmp_path / "exact")}
    both = pandas.concat([table, table.assign(topology="chain", layers=2)])
    names = {drawn.name for drawn in figures(both, tmp_path / "both")}
    assert {"scaling_time_ring_1", "scaling_time_chain_2"} <= names


@pytest.mark.parametrize("name", ["scaling", "scaling_large"])
def test_the_shipped_grids_can_be_planned(name: str, tmp_path: Path) -> None:
    plan = Plan.of(STUDY, Grid.read("study scaling", STUDY.conf.with_name(f"{name}.yaml"), STUDY.conf), tmp_path, 2)
    exact = [cell for cell in plan.cells if cell.settings["backend"] == "statevector"]
    assert len(exact) == len(plan.grid.values["qubits"]) * len(plan.grid.seeds)  # without a bond dimension


@pytest.mark.timeout(300)
def test_a_small_grid_is_measured(tmp_path: Path) -> None:
    assert main(["study", "scaling", "--out", str(tmp_path), *TINY]) == 0
    table = pandas.read_csv(tmp_path / "cells.csv").set_index(["backend", "qubits"])
    assert set(table["status"]) == {"done"}
    for column in ("step_seconds", "forward_seconds", "backward_seconds", "readout_seconds", "stored_bytes"):
        assert (table[column] > 0).all()
    assert np.allclose(table["step_seconds"], table["forward_seconds"] + table["backward_seconds"])
    assert table.loc[("statevector", 6), "state_bytes"] == 2**6 * 8
    truncated = table.loc[("mps", 6)]
    assert 0 < truncated["exact.infidelity"] <= truncated["exact.infidelity_bound"] + 1e-5
    assert truncated["truncation_error"] > 0
    assert truncated["exact.readout_rms_open"] > 0
    assert abs(truncated["exact.gradient_cosine"]) <= 1 + 1e-6  # a cosine is rounded, too
    assert table.loc["statevector", "truncation_error"].to_numpy() == pytest.approx(0)
    assert table["metric"].between(0, 1).all()
    assert table.loc[("statevector", 6), "parameters"] == truncated["parameters"]
    assert main(["report", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--backend", "statevektor"], "unknown backend 'statevektor'. Did you mean 'statevector'?"),
        (["--qubits", "0"], "qubits must be an integer of at least 1, got 0"),
        (["--max-bond", "0", "--backend", "mps"], "max_bond must be an integer of at least 1, got 0"),
        (["--topology", "star"], "unknown topology 'star'"),
        (["--config", "digit"], "there is no configuration and no file 'digit'. Did you mean 'digits'?"),
        (["--steps", "-1"], "steps must be at least 0"),
    ],
)
def test_wrong_sizes_are_refused_before_anything_starts(
    argv: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "scaling", "--out", str(tmp_path / "out"), *argv]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
