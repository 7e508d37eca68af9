"""What is installed besides a model's own needs: `pip install 'tnqrnn[train]'` adds training, `[studies]` the studies.

A model, its circuits and backends need none of it. Whatever does asks here first, so that a missing package is one
sentence before the work instead of a ModuleNotFoundError in the middle of it.
"""

from __future__ import annotations

from importlib.util import find_spec

from backends.errors import InvalidInput

_TRAIN = ("jsonargparse", "matplotlib", "pytorch_lightning", "rich", "sacrebleu", "sklearn", "torchmetrics", "yaml")
# The modules that an extra of pyproject.toml brings.
EXTRAS = {"train": _TRAIN, "studies": (*_TRAIN, "jinja2", "pandas", "submitit"), "hf": (*_TRAIN, "datasets")}


class MissingExtra(InvalidInput, ImportError):
    """Something was asked for that an extra brings which is not installed; the message is one sentence for the user."""


def require_extra(extra: str, who: str) -> None:
    """Refuse to go on where a module of an extra is missing that `who` needs. Imports none of them.

    Raises:
        MissingExtra: One is.
    """
    missing = [f"'{name}'" for name in EXTRAS[extra] if find_spec(name) is None]
    if missing:
        packages, them = ("package", "it") if len(missing) == 1 else ("packages", "them")
        raise MissingExtra(
            f"{who} needs the {packages} {', '.join(missing)}; install {them} with pip install 'tnqrnn[{extra}]'."
        )
