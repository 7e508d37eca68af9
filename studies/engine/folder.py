"""The folder of a study's results: study.json says what was asked for last, by which version, with what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.errors import InvalidInput
from lightning_modules.runs.run_directory import environment, write_json

FORMAT = 1  # of the folder: goes up when older programs could not read it, or it older folders
NAME = "study.json"


def read_study(out: Path) -> dict[str, Any]:
    """Return what study.json holds; empty where there is none.

    Raises:
        InvalidInput: It cannot be read, or is of another version.
    """
    path = out / NAME
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
        found, name = content["format"], content["study"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} cannot be read (half-written, or not ours); delete it and give the study's command again: the "
            "cells beside it are kept."
        ) from error
    if found != FORMAT:
        raise InvalidInput(
            f"{out} holds results of the study {name} in format {found}, written by tnqrnn {content.get('tnqrnn')}; "
            f"this version knows format {FORMAT}. Nothing was changed: choose another --out, or use that version."
        )
    return dict(content)


def require_same_study(out: Path, study: str, version: int) -> None:
    """Refuse a folder that holds another study, or results of another version of this one; changes nothing."""
    content = read_study(out)
    if content and (content["study"], content.get("version")) != (study, version):
        raise InvalidInput(
            f"{out} holds results of the study {content['study']}, version {content.get('version')}; this is {study}, "
            f"version {version}, whose numbers mean something else. Nothing was changed: choose another --out."
        )


def write_study(out: Path, study: str, version: int, argv: Sequence[str], grid: str) -> Mapping[str, Any]:
    """Write study.json, and return what is kept with every result: versions and commit."""
    origin = environment("cpu", "")
    del origin["data_sha256"]
    content = {
        "format": FORMAT,
        "study": study,
        "version": version,
        "tnqrnn": origin["packages"]["tnqrnn"],
        "command": " ".join(["tnqrnn", "study", study, *argv]),
        "argv": list(argv),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "grid": grid,
        "environment": origin,
    }
    write_json(out / NAME, content)
    return origin
