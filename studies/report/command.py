"""`tnqrnn report DIR`: the report of a study's folder, as it is now."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from backends.errors import InvalidInput
from lightning_modules.cli.cli import exit_code
from lightning_modules.runs.run_directory import require_writable
from studies.arguments import Parser
from studies.engine.folder import read_study
from studies.registry import find_study

DESCRIPTION = """Write report.html (one file that needs nothing beside it), report.md, the figures and the tables of a
study's folder, from the cells that are in it now. Measures nothing."""


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 2 refused."""
    return exit_code(lambda: _run(argv))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="tnqrnn report", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of a study, such as runs/study-scaling")
    return parser


def _run(argv: Sequence[str]) -> None:
    out: Path = _parser().parse_args(argv).folder
    content = read_study(out)
    if not content:
        raise InvalidInput(
            f"tnqrnn report: {out} holds no study (no study.json); give the --out of a study, such as "
            "runs/study-scaling."
        )
    require_writable(out, "DIR")
    for path in find_study("tnqrnn report", content["study"]).write_again(out):
        print(f"written: {path}")
