"""Print every lower bound of pyproject.toml as an exact version, for `pip install --constraint`.

torch stays at the version of constraints.txt: a second one is a download of gigabytes, and it wants other kernels.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
BOUND = re.compile(r"([\w.-]+)(?:\[[\w,]*\])?>=([\w.]+)")


def exact_bounds() -> list[str]:
    """Return `name==version` for every dependency with a lower bound, those of the extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    bounds = [BOUND.fullmatch(requirement) for requirement in (*project["dependencies"], *extras)]
    lines = [f"{bound[1]}=={bound[2]}" for bound in bounds if bound and bound[1] != "torch"]
    return [*lines, *re.findall("^torch==.*", (ROOT / "constraints.txt").read_text(), re.MULTILINE)]


if __name__ == "__main__":
    print(*exact_bounds(), sep="\n")
