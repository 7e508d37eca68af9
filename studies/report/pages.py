"""Writing a report: report.html, which needs nothing beside it, and report.md, which shows the SVG files beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lightning_modules.runs.run_directory import write_atomically
from studies.report.contents import Report

_BACKTICKS = re.compile("`([^`]+)`")


def write_report(report: Report, out: Path) -> list[Path]:
    """Write report.html and report.md into `out`, and return their paths."""
    return [write_page(name, out, report=report) for name in ("report.html", "report.md")]


def write_page(name: str, out: Path, **contents: Any) -> Path:
    """Write the template `<name>.j2`, filled in with `contents`, into `out`, and return its path."""
    environment = Environment(
        loader=PackageLoader("studies.report"),
        autoescape=name.endswith("html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "in_cell": in_cell, "sort_key": sort_key, "code": code}
    text = environment.get_template(f"{name}.j2").render(**contents)
    write_atomically(out / name, text.rstrip() + "\n")
    return out / name


def shown(value: Any) -> str:
    """Return a value as people read it: four digits of a number, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    return str(value)


def code(text: str) -> Markup:
    """Return a text for HTML: what stands between backticks is code, everything else is text."""
    return Markup(_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))


def in_cell(value: Any) -> str:
    """Return a value for a cell of a Markdown table."""
    return " ".join(shown(value).split()).replace("|", "\\|")


def sort_key(value: Any) -> str:
    """Return what a column is sorted by: numbers as they are, also where they are shown shorter."""
    return repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value or "")
