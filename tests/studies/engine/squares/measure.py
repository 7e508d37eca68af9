import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import InvalidInput
from studies.engine.job import OverBudgetError


def measure(settings: Mapping[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    number = settings["number"]
    time.sleep(settings["pause"])
    if number == 3:
        misbehave(settings["mood"])
    noise = np.random.default_rng(seed).normal(size=3)
    np.savez(folder / "noise.npz", noise=noise)
    square = number**2 + float(noise[0])
    return {"square": square if settings["kind"] == "exact" else round(square, settings["digits"]), "root": {"a": 0.5}}


def misbehave(mood: str) -> None:
    if mood == "refuses":
        raise InvalidInput("squares: three is refused,\nsays the measurement.")
    if mood == "breaks":
        raise ZeroDivisionError("three broke")
    if mood == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if mood == "full":
        raise OverBudgetError("three does not fit.")
    if mood == "swells":
        held = np.ones(2**26)  # 512 MiB
        time.sleep(60)
        del held
    if mood == "sleeps":
        time.sleep(60)
    if mood == "mumbles":
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")
