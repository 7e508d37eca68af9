"""Every command on the folder of every study, as the study itself left it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from studies.registry import STUDIES as REGISTERED
from tests.studies.conftest import STUDIES
from tnqrnn.__main__ import main

Command = Callable[[str], list[str]]
Studied = Callable[[str], Path]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files that were measured, by name."""
    return {str(path): path.read_bytes() for path in folder.rglob("result.json")}


def test_every_study_has_a_folder_here() -> None:
    assert set(STUDIES) == set(REGISTERED)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STUDIES)
def test_report_writes_the_report_again(
    name: str, studied: Studied, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(studied(name), tmp_path / name)
    for page in folder.glob("re*.*"):
        page.unlink()
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    told = capsys.readouterr()
    assert "could not" not in told.err
    pages = {path.name for path in folder.glob("report.*")}
    assert pages == {"report.html", "report.md"}
    written = [line.removeprefix("written: ") for line in told.out.splitlines() if line.startswith("written: ")]
    assert written
    assert all(Path(path).is_file() for path in written)
    assert list(folder.glob("*.svg"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("further", [["--dry-run"], ["--executor", "local"]], ids=str)
@pytest.mark.parametrize("name", STUDIES)
def test_the_command_again_measures_nothing(
    name: str, further: list[str], studied: Studied, study_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(studied(name))
    capsys.readouterr()
    assert main([*study_command(name), *further]) == 0
    told = capsys.readouterr()
    assert "could not" not in told.err
    assert contents(studied(name)) == before
    if further == ["--dry-run"]:
        assert "0 to do" in told.out
