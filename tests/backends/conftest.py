"""Fixtures of the contract suite, and a table of its worst errors at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.backends.cases import DTYPES, EXACT, TOPOLOGIES, Setting

Check = Callable[[Setting, torch.dtype, str, float, float], None]
_Worst = dict[tuple[str, str, str], tuple[float, float]]
_WORST = pytest.StashKey[_Worst]()


@pytest.fixture
def check(pytestconfig: pytest.Config) -> Check:
    """Return a function that asserts error <= tolerance and keeps the worst ratio per backend, dtype and quantity."""
    worst = pytestconfig.stash.setdefault(_WORST, {})

    def check(setting: Setting, dtype: torch.dtype, quantity: str, error: float, tolerance: float) -> None:
        key = (str(setting), str(dtype).removeprefix("torch."), quantity)
        known = worst.get(key, (0.0, 1.0))
        if not error / tolerance < known[0] / known[1]:  # a NaN is the worst
            worst[key] = (error, tolerance)
        assert error <= tolerance, f"{setting} {dtype}: {quantity} off by {error:.2e}, tolerance {tolerance:.2e}"

    return check


@pytest.fixture(params=EXACT, ids=str)
def setting(request: pytest.FixtureRequest) -> Setting:
    """Every backend, with settings that lose nothing."""
    value: Setting = request.param
    return value


@pytest.fixture(params=DTYPES, ids=["complex64", "complex128"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    value: torch.dtype = request.param
    return value


@pytest.fixture(params=TOPOLOGIES)
def topology(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    worst = config.stash.get(_WORST, {})
    if not worst:
        return
    terminalreporter.section("worst error of the contract suite")
    row = "{:<26}{:<12}{:<14}{:>10}{:>11}"
    terminalreporter.write_line(row.format("backend", "dtype", "quantity", "error", "tolerance"))
    for (setting, dtype, quantity), (error, tolerance) in sorted(worst.items()):
        terminalreporter.write_line(row.format(setting, dtype, quantity, f"{error:.1e}", f"{tolerance:.1e}"))
