"""One cell in its process: measured, and written at once."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from backends.errors import InvalidInput
from lightning_modules.runs.run_directory import write_json
from studies.engine.job import DONE


def measure_cell(
    measure: Callable[..., dict[str, Any]], settings: dict[str, Any], seed: int, folder: Path, origin: Mapping[str, Any]
) -> None:
    """Measure one cell of a study and write settings.json and result.json into `folder`.

    Raises:
        InvalidInput: The settings are refused, or what was measured cannot be written as JSON.
    """
    write_json(folder / "settings.json", {"settings": settings, "seed": seed})
    started = time.perf_counter()
    values = measure(settings, seed, folder)
    seconds = time.perf_counter() - started
    try:
        json.dumps(values)
    except TypeError as error:
        raise InvalidInput(f"{measure.__module__}: what was measured cannot be kept as JSON ({error}).") from error
    here = {**origin, "platform": platform.platform(), "threads": torch.get_num_threads()}
    result = {"status": DONE, "settings": settings, "seed": seed, "seconds": seconds, "values": values, "env": here}
    write_json(folder / "result.json", result)
