"""What fits: free memory of a device, and the refusal of what does not fit, before anything is allocated."""

from __future__ import annotations

import psutil
import torch

from backends.errors import NotEnoughMemory


def free_bytes(device: torch.device) -> int:
    """Bytes that can still be allocated on `device`."""
    if device.type == "cuda":
        # Memory that torch holds in its cache can be used again.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    return int(psutil.virtual_memory().available)


def format_bytes(count: float) -> str:
    """Return a readable size, e.g. `1.5 GiB`."""
    if count > 2**80:
        return f"over 10^{len(str(int(count))) - 1} bytes"
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
