"""What a report says, apart from how it looks. A study fills it in; `studies.report.pages` writes it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas

_PROLOG = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SIZE = re.compile(
    r'(<svg[^>]*?) height="[^"]*"([^>]*?) width="[^"]*"|(<svg[^>]*?) width="[^"]*"([^>]*?) height="[^"]*"'
)
_POINTS_TO_PIXELS = 96 / 72


@dataclass(frozen=True)
class Table:
    """Rows under headings, and the file with every digit. `name` is that of the file that can be downloaded."""

    name: str
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    csv: str

    @classmethod
    def of(cls, name: str, caption: str, data: pandas.DataFrame, csv: str | None = None) -> Table:
        """Return the table of a frame; `csv` where the file has more than what is shown."""
        rows = [[_plain(value) for value in row] for row in data.itertuples(index=False)]
        return cls(name, caption, [str(name) for name in data.columns], rows, csv or data.to_csv(index=False))

    @property
    def link(self) -> str:
        """The CSV as a link that holds it."""
        return _data_link(self.csv)


@dataclass(frozen=True)
class Picture:
    """A figure: the SVG and the CSV behind it, as text; `name` without suffix."""

    name: str
    caption: str
    svg: str
    csv: str

    @classmethod
    def read(cls, name: str, caption: str, svg: Path, csv: Path) -> Picture:
        """Read the files of a figure."""
        return cls(name, caption, svg.read_text(), csv.read_text())

    @property
    def inline(self) -> str:
        """The SVG as part of a page: without prolog, as wide as there is room."""
        return _SIZE.sub(
            lambda found: "".join(part or "" for part in found.groups()), _PROLOG.sub("", self.svg), count=1
        )

    @property
    def width(self) -> int:
        """The width in pixels at which it was drawn."""
        found = re.search(r'<svg[^>]*? width="([\d.]+)pt"', self.svg)
        return round(float(found[1]) * _POINTS_TO_PIXELS) if found else 600

    @property
    def link(self) -> str:
        """The CSV as a link that holds it."""
        return _data_link(self.csv)


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, points, tables and figures under it; several may belong to one group."""

    heading: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    group: str = ""

    @property
    def full_heading(self) -> str:
        """The heading with its group."""
        return f"{self.heading} ({self.group.lower()})" if self.group else self.heading


@dataclass(frozen=True)
class Unfinished:
    """A cell without a result: what it is, missing, failed or over budget, and why."""

    cell: str
    status: str
    why: str


@dataclass(frozen=True)
class Report:
    """Everything a report says. `facts`: origin of the numbers, by name; `settings`: the grid as YAML."""

    title: str
    question: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    unfinished: Sequence[Unfinished]
    settings: str
    complete: str = "Every cell that was asked for has a result."
    counts: Sequence[tuple[str, int]] = field(default_factory=tuple)


def _data_link(text: str) -> str:
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


def _plain(value: Any) -> Any:
    """Return a number, a text, or None for nothing."""
    if value is None or value is pandas.NaT or (isinstance(value, float) and value != value):
        return None
    return value.item() if hasattr(value, "item") else value
