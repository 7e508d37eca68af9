"""What fits: free memory of a device, and the refusal of what does not fit, before anything is allocated.

On the CPU four may set a bound, and the least of them holds: the machine, the control groups (cgroup v1 and v2) that
this process is in, its resource limits (`ulimit -v`, `ulimit -d`), and what its SLURM job was given. A container or a
batch system ends a process that goes beyond its bound, however much the machine has left.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

from backends.errors import NotEnoughMemory

_CGROUPS, _OF_THIS_PROCESS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# Files in a control group's folder: the limit, what is in use, and the part of that which is cached files, given back
# when memory is short. For both versions of control groups.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


class Bound(NamedTuple):
    """Bytes that may be used, and those that are in use."""

    limit: int
    used: int


def free_bytes(device: torch.device) -> int:
    """Bytes that can still be allocated on `device`; on the CPU by the least of all bounds."""
    if device.type == "cuda":
        # Memory that torch holds in its cache can be used again.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    return max(0, min([int(psutil.virtual_memory().available), *(bound.limit - bound.used for bound in _bounds())]))


def total_bytes() -> int:
    """Bytes that this process may use if it is alone: the machine's memory, or the least of the bounds."""
    return min([int(psutil.virtual_memory().total), *(bound.limit for bound in _bounds())])


def format_bytes(count: float) -> str:
    """Return a readable size, e.g. `1.5 GiB`."""
    if count > 2**80:
        # From the bits: Python refuses to write out numbers of more than 4300 digits.
        return f"over 10^{int((int(count).bit_length() - 1) * math.log10(2))} bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.3g} EiB"


def require_memory(who: str, what: str, need: int, device: torch.device, remedy: str) -> None:
    """Refuse a request of `need` bytes that exceeds what is free on `device`; `remedy` says what to do instead."""
    free = free_bytes(device)
    if need > free:
        raise NotEnoughMemory(
            f"{who}: {what} need {format_bytes(need)} of memory, {format_bytes(free)} are free. {remedy}"
        )


def _bounds() -> Iterator[Bound]:
    """The bounds that somebody set for this process."""
    for folder, names in _limited_groups(_CGROUPS, _OF_THIS_PROCESS):
        yield from _of_group(folder, names)
    yield from _of_resources()
    given = _given_to_the_job(os.environ)
    if given is not None:
        yield Bound(given, psutil.Process().memory_info().rss)


@cache
def _limited_groups(root: Path, of_process: Path) -> list[tuple[Path, tuple[str, str, str]]]:
    """Folders of this process's control groups, and of those around them, that limit memory.

    Looked up once: a process rarely moves. In a container the path may be the host's, of which only the end is there.
    """
    found = []
    for line in _read(of_process).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base, names = (root / "memory", _V1) if controllers else (root, _V2)
        group = base / path.lstrip("/")
        folders = [folder for folder in (group, *group.parents) if folder.is_relative_to(base)]
        found += [(folder, names) for folder in folders if any(_of_group(folder, names))]
    return found


def _of_group(folder: Path, names: tuple[str, str, str]) -> Iterator[Bound]:
    """The bound of one control group, if it has one; "max", or more than there is, is none."""
    limit, used, cached = names
    given = _read(folder / limit).strip()
    if given.isdecimal() and int(given) < psutil.virtual_memory().total:
        statistics = dict(line.split() for line in _read(folder / "memory.stat").splitlines())
        yield Bound(int(given), int(_read(folder / used) or 0) - int(statistics.get(cached, 0)))


def _of_resources() -> Iterator[Bound]:
    """The limits on address space and on data of this process."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    for limit, used in ((resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield Bound(soft, getattr(psutil.Process().memory_info(), used, 0))


def _given_to_the_job(environment: Mapping[str, str]) -> int | None:
    """Bytes of this node that a SLURM job asked for (--mem, --mem-per-cpu); None outside one, or if it did not."""
    try:
        if "SLURM_MEM_PER_NODE" in environment:
            mebibytes = int(environment["SLURM_MEM_PER_NODE"])
        else:
            mebibytes = int(environment["SLURM_MEM_PER_CPU"]) * int(environment["SLURM_CPUS_ON_NODE"])
    except (KeyError, ValueError):
        return None
    return mebibytes * 2**20 or None  # --mem=0 asks for all there is


def _read(path: Path) -> str:
    """The text of a small file; empty where it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
