"""Real folders of the studies: the smallest grid of each, measured once for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.studies.small import FLAGS
from tnqrnn.__main__ import main

_TRAINED = ["--config", "digits", "--n-qubits", "3", "--epochs", "1", f"--flags={FLAGS}", "--seeds", "0"]
GRIDS = {
    "scaling": [
        *("--qubits", "4", "--max-bond", "2", "--batch", "2", "--repeats", "1", "--samples", "1", "--steps", "1"),
        *("--test-samples", "2", "--seeds", "0"),
    ],
    "gradients": [
        *("--cell", "qrnn", "lstm", "--n-qubits", "2", "--n-layers", "1", "--timesteps", "3", "--angle-scale", "null"),
        *("--initialisations", "2", "--seeds", "0"),
    ],
    "noise": [
        *_TRAINED,
        *("--trained-with", "exact", "--tested-with", "[exact, shots=10, depolarising=0.2]", "--draws", "1"),
    ],
    "truncation": [*_TRAINED, "--trained-with", "null", "1", "--tested-with", "[1, 2]", "--samples", "2"],
    "entanglement": [*_TRAINED, "--samples", "4", "--shown", "2"],
}
_SETTINGS = {
    "model.n_qubits": 2,
    "model.controller_width": 4,
    "trainer.max_epochs": 1,
    "trainer.limit_train_batches": 1,
    "trainer.limit_val_batches": 1,
    "trainer.limit_test_batches": 1,
}
TASKS = {
    "seeds": [0],
    "adjust": 0,
    "tasks": {"digits": {"settings": _SETTINGS, "lines": {"chance": 0.1}}},
    "cells": {"qrnn": None, "gru": None},
}
STUDIES = (*GRIDS, "tasks")


@pytest.fixture(scope="session")
def study_command(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """The command of a study's smallest grid, with its own folder last."""
    folder = tmp_path_factory.mktemp("studies")
    (folder / "tasks.yaml").write_text(yaml.safe_dump(TASKS, sort_keys=False))

    def command(name: str) -> list[str]:
        asked = ["--conf", str(folder / "tasks.yaml")] if name == "tasks" else GRIDS[name]
        return ["study", name, *asked, "--executor", "debug", "--out", str(folder / name)]

    return command


@pytest.fixture(scope="session")
def studied(study_command: Callable[[str], list[str]]) -> Callable[[str], Path]:
    """The folder of a study that was carried out; copy it before anything in it is changed."""
    done: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in done:
            command = study_command(name)
            assert main(command) == 0
            done[name] = Path(command[-1])
        return done[name]

    return folder
