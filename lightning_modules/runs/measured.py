"""What a run costs: memory while it trains, time per sample while it is tested."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_modules.data.loaders import Batch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_HIGH_WATER = "5"  # proc(5): sets the resident set's high-water mark to what is resident now


class PeakMemory:
    """The high-water mark of this process's resident memory above what it held when this object was made, in bytes.

    The mark counts everything the process holds: code that the first step loads and memory that the allocator keeps
    are in it too, so differences of some ten MiB mean nothing. Where the system cannot reset the mark (anything but
    Linux), it may be that of earlier work of the same process.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            _CLEAR.write_text(_RESET_HIGH_WATER)
        self._start = psutil.Process().memory_info().rss

    def above_start(self) -> int:
        """Return the bytes, at least 0."""
        return max(0, _high_water() - self._start)


class InferenceClock(Callback):
    """Seconds of the test steps: forward, loss and metrics of every test batch, nothing between batches."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.samples = 0
        self._began = 0.0

    @property
    def milliseconds_per_sample(self) -> float | None:
        """Mean over the samples of all test batches; None before there was one."""
        return 1e3 * self.seconds / self.samples if self.samples else None

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start the clock."""
        _wait_for(pl_module.device)
        self._began = time.perf_counter()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop the clock and count the samples."""
        _wait_for(pl_module.device)
        self.seconds += time.perf_counter() - self._began
        self.samples += len(batch[1])


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _high_water() -> int:
    """Return the most bytes that this process ever had resident, since the last reset where there is one."""
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource  # not on Windows, which psutil serves

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest
