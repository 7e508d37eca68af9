"""The examples of the README and of the pages in docs/ run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/cells.md")
_BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, int, str]]:
    """The page, line number and source of every Python block."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [(page, text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in _BLOCK.finditer(text)]


EXAMPLES = [example for page in PAGES for example in examples(page)]


@pytest.mark.parametrize("page", PAGES)
def test_there_is_an_example(page: str) -> None:
    assert examples(page), f"{page} shows no Python"


@pytest.mark.parametrize(("page", "line", "source"), EXAMPLES, ids=[f"{page}-{line}" for page, line, _ in EXAMPLES])
def test_example(page: str, line: int, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # what it writes is gone afterwards
    # Blank lines in front, so that a traceback shows the line of the page.
    exec(compile("\n" * (line - 1) + source, page, "exec"), {"__name__": "__main__"})


def test_the_two_models_of_the_first_example_are_one() -> None:
    """Its bound on the infidelity is at most 1e-3: the readouts, expectations of Paulis, are within 2 sqrt of that."""
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    exec(examples("README.md")[0][2], names)
    bound = float(names["state"].infidelity_bound.max())
    assert bound <= 1e-3
    difference = (names["exact"](names["x"])[0] - names["z"]).detach()
    assert float(difference.abs().max()) <= 2 * max(bound, 1e-10) ** 0.5
