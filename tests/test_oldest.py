"""`make oldest` tests what pyproject.toml allows: every dependency at its lower bound, none forgotten."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_every_bound_becomes_an_exact_version_no_newer_than_the_one_in_use() -> None:
    printed = subprocess.run([sys.executable, ".ci/oldest.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    oldest = dict(line.split("==") for line in printed.stdout.splitlines())
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    in_use = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[>]", requirement)[0] for requirement in project["dependencies"]}
    assert oldest["torch"] == in_use["torch"]
    assert wanted <= oldest.keys()
    for name, version in oldest.items():
        assert numbers(version) <= numbers(in_use[name.lower()]), name
