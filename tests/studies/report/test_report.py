"""The report: everything in one file, nothing that a reader could take for markup, every table whole."""

from __future__ import annotations

import base64
import html.parser
import re
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from studies.engine.drawing import Drawn, drawing
from studies.report.contents import Picture, Report, Section, Table, Unfinished
from studies.report.pages import in_cell, shown, write_report
from tnqrnn.__main__ import main

VOID = {"meta", "br", "path", "use", "rect", "link", "circle"}


class Tags(html.parser.HTMLParser):
    """Collects the tags of a page, and refuses one that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def drawn(tmp_path: Path) -> Drawn:
    found: list[Drawn] = []
    data = pandas.DataFrame({"n": [1, 2], "seconds": [0.5, 1 / 3]})
    with drawing(found, tmp_path, "line", "A line, n = 2 seeds.", data) as canvas:
        canvas.add_subplot().plot(data["n"], data["seconds"])
    return found[0]


@pytest.fixture
def report(drawn: Drawn) -> Report:
    assert drawn.svg is not None
    data = pandas.DataFrame({"na|me": ["<b>", None], "seconds": [1 / 3, 12.0], "count": [1, 2]})
    return Report(
        title="Study <script>alert(1)</script>",
        question="What?",
        facts=[("commit", "abc"), ("data sha256", "0" * 64)],
        sections=[
            Section("Figures", pictures=[Picture.read(drawn.name, drawn.caption, drawn.svg, drawn.csv)]),
            Section("Tables", ["Read it."], ["one", "two"], [Table.of("rows", "All rows.", data)]),
        ],
        unfinished=[Unfinished("n 3", "failed", "it <broke> | here")],
        settings="axes: {n: [1, 2]}",
        counts=[("cells", 2), ("failed", 1)],
    )


def test_the_page_stands_alone(report: Report, drawn: Drawn, tmp_path: Path) -> None:
    page = write_report(report, tmp_path)[0].read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for tag, attributes in tags.seen:
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), f"{tag} loads {value}"
    assert "<?xml" not in page
    assert sum(tag == "svg" for tag, _ in tags.seen) == 1
    assert "<script>alert" not in page
    assert "&lt;b&gt;" in page
    links = {a["download"]: a["href"] for tag, a in tags.seen if tag == "a" and "download" in a}
    held = base64.b64decode(str(links["line.csv"]).split(",")[1]).decode()
    assert held == drawn.csv.read_text()
    assert "0.3333333333333333" in held
    assert base64.b64decode(str(links["rows.csv"]).split(",")[1]).decode().splitlines()[0] == "na|me,seconds,count"


def test_code_between_backticks_is_code(report: Report, tmp_path: Path) -> None:
    told = replace(
        report,
        question="Asked by `tnqrnn study <x>`?",
        facts=[("written", "by `tnqrnn fit`")],
        unfinished=[Unfinished("n 3", "failed", "give `--seed 1` & go on; a lone ` stays")],
        sections=[Section("Text", ["Configuration `digits`."], ["see `a` and `b`"])],
    )
    page = write_report(told, tmp_path)[0].read_text()
    for code in ("tnqrnn study &lt;x&gt;", "tnqrnn fit", "--seed 1", "digits", "a", "b"):
        assert f"<code>{code}</code>" in page
    assert "a lone ` stays" in page
    assert re.sub('data-key="[^"]*"', "", page).split("<script>")[0].count("`") == 1
    assert "`tnqrnn fit`" in (tmp_path / "report.md").read_text()


def test_a_table_that_is_cut_says_so(report: Report, tmp_path: Path) -> None:
    """The hint is in the page; whether a table or a figure is wider than the window, only the browser knows."""
    page = write_report(report, tmp_path)[0].read_text()
    assert (
        page.count('<p class="hint">') == page.count('<div class="wide') == 3
    )  # a figure, a table, what is unfinished
    assert "target.scrollWidth > target.clientWidth" in page
    assert re.search(r"\.cut td:first-child \{ position: sticky; left: 0", page)


def test_a_figure_is_as_wide_as_there_is_room(report: Report, tmp_path: Path) -> None:
    page = write_report(report, tmp_path)[0].read_text()
    [svg] = re.findall(r"<svg[^>]*>", page)
    assert "viewBox" in svg
    assert "width=" not in svg
    assert "height=" not in svg
    assert 300 < report.sections[0].pictures[0].width < 1000


def test_markdown_says_the_same(report: Report, tmp_path: Path) -> None:
    text = write_report(report, tmp_path)[1].read_text()
    assert "![line](line.svg)" in text
    assert "A line, n = 2 seeds. [line.csv](line.csv)" in text
    lines = text.splitlines()
    start = lines.index("| na\\|me | seconds | count |")
    assert lines[start : start + 4] == [
        "| na\\|me | seconds | count |",
        "| --: | --: | --: |",
        "| <b> | 0.3333 | 1 |",
        "| – | 12 | 2 |",
    ]
    assert "| n 3 | failed | it <broke> \\| here |" in text
    assert "- failed: 1" in text


@pytest.mark.parametrize(
    ("value", "told"), [(None, "–"), (1 / 3, "0.3333"), (1234567.5, "1.235e+06"), (64.0, "64"), (7, "7"), ("a", "a")]
)
def test_numbers_are_short(value: object, told: str) -> None:
    assert shown(value) == told
    assert in_cell("a|b\nc") == "a\\|b c"


def test_the_same_figure_is_the_same_file(drawn: Drawn, tmp_path: Path) -> None:
    assert drawn.svg is not None
    before = drawn.svg.read_bytes()
    again: list[Drawn] = []
    data = pandas.read_csv(drawn.csv)
    with drawing(again, tmp_path / "again", drawn.name, drawn.caption, data) as canvas:
        canvas.add_subplot().plot(data["n"], data["seconds"])
    assert again[0].svg is not None
    assert again[0].svg.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "holds no study"),
        ("{", "study.json cannot be read"),
        ('{"format": 2, "study": "scaling"}', "in format 2"),
        ('{"format": 1, "study": "scalign", "version": 1}', "unknown study 'scalign'. Did you mean 'scaling'?"),
        ('{"format": 1, "study": "scaling", "version": 7}', "version 7; this is scaling, version 1"),
    ],
)
def test_a_folder_without_a_study_is_refused(
    text: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "study.json").write_text(text)
    assert main(["report", str(tmp_path)]) == 2
    refusal = capsys.readouterr().err
    assert told in refusal
    assert len(refusal.splitlines()) == 1
    assert main(["report"]) == 2
