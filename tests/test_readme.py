"""The examples of the README run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
_BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[int, str]]:
    """Line number and source of every Python block."""
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in _BLOCK.finditer(text)]


def test_there_is_an_example() -> None:
    assert examples(), "README.md shows no Python"


@pytest.mark.parametrize(("line", "source"), examples(), ids=[f"line-{line}" for line, _ in examples()])
def test_example(line: int, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # what it writes is gone afterwards
    # Blank lines in front, so that a traceback shows the line of the README.
    exec(compile("\n" * (line - 1) + source, str(README), "exec"), {"__name__": "__main__"})
