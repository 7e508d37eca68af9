"""Phases of a kernel that several threads may share.

A kernel's function is written once. Compiled, it carries out each of its phases alone; run by Python, as `py_func` with
a `Team`, it has the team's threads share each phase, and only the phases themselves are machine code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload


def shared(phase: Any, unit: int = 1) -> Any:
    """Return share(team, count, sums, *arguments), which carries out a phase, a compiled function.

    The phase is called as phase(first, last, sums, *arguments), for parts of range(count) that begin at whole units.
    What it adds to `sums`, an array or None, is added up over the parts. One function for each phase: code that was
    handed the phase as an argument would hold its address, and could not be kept on disk.
    """

    def share(team: Any, count: int, sums: Any, *arguments: Any) -> None:
        parts: Any = [None] * team.size if sums is None else np.zeros((team.size, *sums.shape), sums.dtype)
        team.share(count, lambda k, first, last: phase(first, last, parts[k], *arguments), unit)
        if sums is not None:
            sums += parts.sum(0)

    @overload(share, strict=False)  # the types annotated are not part of the names compared
    def compiled(team: Any, count: Any, sums: Any, *arguments: Any) -> Any:
        def alone(team, count, sums, *arguments):  # type: ignore[no-untyped-def]
            phase(0, count, sums, *arguments)

        return alone

    return share
