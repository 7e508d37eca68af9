"""Callbacks of the user: one is a list of one, and what they wait for is checked against what is logged."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Trainer

from lightning_modules.cli.run_command import prepare_run
from tests.lightning_modules.small_runs import SMALL, Fit, only_run
from tnqrnn.__main__ import main as tnqrnn

STOP = {"class_path": "EarlyStopping", "init_args": {"monitor": "val_loss"}}


def test_one_callback_is_a_list_of_one(fit: Fit, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(json.dumps({"trainer": {"callbacks": STOP}}))
    (tmp_path / "list.yaml").write_text(json.dumps({"trainer": {"callbacks": [STOP]}}))
    for given in (
        ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val_loss"],
        ["--trainer.callbacks", json.dumps(STOP)],
        ["--config", str(tmp_path / "one.yaml")],
        ["--config", str(tmp_path / "list.yaml")],
    ):
        assert fit(*given) == 0
        only_run(tmp_path / "runs")  # of the same settings: the same run


def test_a_fit_in_a_thread(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(tnqrnn(["fit", *SMALL, "--runs", str(tmp_path)])))
    thread.start()
    thread.join()
    assert codes == [0]
    assert (only_run(tmp_path) / "result.json").exists()


ONE_BATCH = [f"--trainer.limit_{split}_batches=1" for split in ("train", "val", "test")]
TASKS = {
    "digits": ["--model.backend", "mps", "--model.target_error", "0.1"],
    "copying": ["--data.delay", "2", "--data.evaluation_size", "8"],
    "sentiment": ["--data.train_size", "40", "--data.evaluation_size", "8"],
    "language_modelling": ["--data.segment_length", "4"],
    "translation": ["--data.largest", "99", "--data.val_size", "8", "--data.test_size", "8"],
}


@pytest.mark.parametrize("task", TASKS)
def test_what_a_task_says_it_logs_is_what_it_logs(task: str, tmp_path: Path) -> None:
    size = ["--model.n_qubits", "2", "--data.batch_size", "4", "--trainer.max_epochs", "1"]
    arguments = ["--config", task, *size, *ONE_BATCH, *TASKS[task], "--runs", str(tmp_path)]
    run = prepare_run(arguments)
    settings: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, limit_train_batches=1, limit_val_batches=1, num_sanity_val_steps=0, **settings
    )
    trainer.fit(run.model, datamodule=run.data)
    assert sorted(run.model.logged_names()) == sorted(trainer.callback_metrics)
