"""The refusal of more weights than fit the memory, by arithmetic, before torch is asked for them."""

from __future__ import annotations

import torch

from backends.memory import require_memory


def require_room(who: str, weights: int, remedy: str) -> None:
    """Refuse so many weights if they alone do not fit the memory that is free; `remedy` says what to do instead."""
    need = weights * torch.get_default_dtype().itemsize
    require_memory(who, "its weights", need, torch.device("cpu"), remedy)
