"""Folders of a few small images in the format of the hub's MNIST: parquet with PNG bytes and labels."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]
HUB_FEATURES = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(num_classes=10)})


def grey_images(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Return random pixels (count, 28, 28) and labels (count,) that run through the digits."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return pixels, np.arange(count) % 10


def png(pixels: Array) -> bytes:
    """Return the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_mnist(
    folder: Path,
    encode: Callable[[Array], bytes] = png,
    features: datasets.Features | None = HUB_FEATURES,
    seed: int = 0,
) -> Path:
    """Write 40 training images and 20 test images; without `features`, as a plain struct of bytes and path."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 40), ("test", 20)):
        pixels, labels = grey_images(count, seed + (part == "test"))
        content = {"image": [{"bytes": encode(image), "path": None} for image in pixels], "label": labels.tolist()}
        datasets.Dataset.from_dict(content, features).to_parquet(folder / f"{part}-00000-of-00001.parquet")
    return folder
