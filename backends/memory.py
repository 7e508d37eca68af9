"""What fits: free memory of a device, and the refusal of what does not fit, before anything is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

import psutil
import torch

from backends.errors import NotEnoughMemory


def free_bytes(device: torch.device) -> int:
    """Bytes that can still be allocated on `device`; in a SLURM job no more than it was given."""
    if device.type == "cuda":
        # Memory that torch holds in its cache can be used again.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    available = int(psutil.virtual_memory().available)
    given = _given_to_the_job(os.environ)
    return available if given is None else max(0, min(available, given - psutil.Process().memory_info().rss))


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
