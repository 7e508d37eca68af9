"""Threads for compiled kernels, and a word to the user while a kernel is compiled.

Threads of our own rather than Numba's: those must not be used after a fork, as in workers that load data.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from numba.core.event import Event, Listener, install_listener

from backends.cache import cache_root, can_be_written, one_at_a_time

# Which compiled functions, for which dtype, were called in this process: the first call compiles or loads.
_called: set[tuple[Any, Any]] = set()


class Team:
    """Threads that work on parts of one thing; `size` of them, the caller included."""

    def __init__(self, size: int) -> None:
        self.size = size

    def share(self, count: int, work: Callable[[int, int, int], None], unit: int = 1) -> None:
        """Call work(member, first, last) for every member's part of range(count); waits for all.

        Parts begin at whole units.
        """
        cuts = [*[count // unit * k // self.size * unit for k in range(self.size)], count]
        others = range(1, self.size)
        waiting = [_pool(os.getpid(), self.size).submit(work, k, cuts[k], cuts[k + 1]) for k in others]
        work(0, cuts[0], cuts[1])
        for done in waiting:
            done.result()


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of one process: a forked one needs its own, so its number is part of the key."""
    return ThreadPoolExecutor(threads, thread_name_prefix="tnqrnn-kernel")


def over_tiles(function: Any, arrays: Sequence[Any], tiles: int, threads: int) -> None:
    """Call a kernel's function(*arrays, first_tile, last_tile) for all tiles, at most `threads` at a time."""
    team = Team(max(1, min(threads, tiles)))
    team.share(tiles, lambda _, first, last: function(*arrays, first, last))


def compile_first(function: Any, arrays: Sequence[Any], kernel: str, seconds: int) -> None:
    """Compile a kernel's function for these arguments, or load it, before threads call it; says so if it compiles."""
    with compiling_alone(function, arrays[0].dtype, kernel, seconds) as first:
        if first:
            function(*arrays, 0, 0)


@contextmanager
def compiling_alone(function: Any, dtype: Any, kernel: str, seconds: int) -> Iterator[bool]:
    """Keep other processes from compiling while a function of a kernel is called for the first time in this one.

    They wait, and load what this one has compiled. Gives whether it is the first call.
    """
    if (function, dtype) in _called:
        yield False
        return
    with one_at_a_time("kernel"), install_listener("numba:compile", _Notice(kernel, seconds)):
        yield True
    _called.add((function, dtype))


class _Notice(Listener):
    """Says that a kernel is being compiled when Numba begins to: it is not said of one that is loaded, however long."""

    def __init__(self, kernel: str, seconds: int) -> None:
        self._kernel, self._seconds = kernel, seconds

    def on_start(self, event: Event) -> None:
        """Say so, unless it is a function of the user's."""
        if event.data["dispatcher"].py_func.__module__.startswith("backends."):
            _tell(self._kernel, self._seconds)

    def on_end(self, event: Event) -> None:
        """Say nothing."""


@cache
def _tell(kernel: str, seconds: int) -> None:
    message = f"compiling the {kernel} kernel: some {seconds} s, once for all circuits"
    if not can_be_written(cache_root()):
        message = (
            f"compiling the {kernel} kernel: some {seconds} s, and again in every process, because the cache folder "
            f"{cache_root()} cannot be written; set TNQRNN_CACHE to a folder that can."
        )
    logging.getLogger("tnqrnn").warning(message)
