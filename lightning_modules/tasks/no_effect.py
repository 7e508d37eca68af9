"""Settings that the chosen cell, backend or noise would not look at: refused wherever they come from.

The command line, a configuration and Python are each judged by themselves: whoever gives a setting beside a cell that
does not use it expected something else. A later one may choose another cell or backend than an earlier one was written
for, as `--model.backend statevector` does over a configuration with `max_bond`: what has no effect then goes back to
its default. A value that is the default says nothing: a configuration that lists all settings can be read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from backends.errors import InvalidInput, require_choice
from tnqrnn.cells import CELLS, SPECIAL, require_used

OF_MPS = ("max_bond", "truncation_cutoff", "target_error", "truncation_budget", "over_budget")
OF_SHOTS = ("shot_noise", "noise_seed")
# Refused even where a later source chose the cell: nobody takes noise, or a width, along by chance.
NEVER_BY_CHANCE = ("hidden_size", "shots", "depolarising", "state_depolarising", "segment_length")
JUDGED = tuple(sorted(SPECIAL - {"backend_options"} | {*OF_MPS}))


def require_effect(who: str, settings: Mapping[str, Any], given: Iterable[str], prefix: str = "") -> None:
    """Refuse those of the `given` settings that have no effect under all `settings`; `prefix` is how they are spelled.

    Raises InvalidInput with a sentence that says what would give them one.
    """
    cell = require_choice(who, "cell", settings["cell"], CELLS)
    for name in given:
        flag = f"{prefix}{name}"
        if not _in_cell(cell, name):
            require_used(cell, "backend_options" if name in OF_MPS else name, flag)
        if name in OF_MPS and settings["backend"] == "statevector":
            raise InvalidInput(f"{who}: {flag} is a setting of the mps backend; add {prefix}backend mps.")
        if not has_effect(settings, name):
            raise InvalidInput(f"{who}: {flag} has no effect {_remedy(name, prefix)}.")


def has_effect(settings: Mapping[str, Any], name: str) -> bool:
    """Whether anything looks at the setting `name` when the model has these settings."""
    if not _in_cell(settings["cell"], name):
        return False
    if name in OF_MPS and settings["backend"] == "statevector":
        return False
    if name == "over_budget":
        return settings["truncation_budget"] is not None
    if name in OF_SHOTS:
        return settings["shots"] is not None
    if name == "noise_in":
        return bool(settings["shots"] is not None or settings["depolarising"] or settings["state_depolarising"])
    return True


def changed(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Return the judged settings whose value is not the default."""
    given = [name for name in JUDGED if name in settings and name in defaults]
    return [name for name in given if _plain(settings[name]) != _plain(defaults[name])]


def without_leftovers(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the default for each that has lost its effect, but for those never there by chance."""
    left = [name for name in changed(settings, defaults) if name not in NEVER_BY_CHANCE]
    return {**settings, **{name: defaults[name] for name in left if not has_effect(settings, name)}}


def _in_cell(cell: str, name: str) -> bool:
    needs = "backend_options" if name in OF_MPS else name
    return needs not in SPECIAL or needs in CELLS[cell].settings


def _remedy(name: str, prefix: str) -> str:
    if name == "over_budget":
        return f"without a budget; add {prefix}truncation_budget"
    if name in OF_SHOTS:
        return f"on exact readouts; add {prefix}shots"
    return f"on exact readouts; add {prefix}shots or {prefix}depolarising"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
