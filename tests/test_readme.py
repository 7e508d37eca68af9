"""The examples of the README and of the pages in docs/ run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
