"""Whatever is wrong in sizes, files or Lightning's settings: exit code 2, one sentence, nothing left behind.

Nothing here may reach a training step.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import lightning_modules.tasks.task
from lightning_modules.cli.cli import main
from lightning_modules.cli.trainer_settings import withheld
from lightning_modules.tasks.task import SequenceTask

FIT = "fit --config digits "
LONG = "1" + 20 * "0"
# (command line, what the sentence says)
REQUESTS = [
    # Sizes, by arithmetic: none of these is allocated or looped over.
    (FIT + "--model.n_qubits 20000", "20000 qubits with batch 64 need over 10^"),
    (FIT + "--model.n_qubits 1000000", "n_qubits must be at most"),
    (FIT + f"--model.n_qubits {LONG}", "n_qubits must be at most"),
    (FIT + f"--model.n_qubits {LONG} --model.backend mps", "n_qubits must be at most"),
    (FIT + f"--model.n_layers {LONG}", "more than 100000 gates"),
    (FIT + f"--model.controller_width {LONG}", "controller_width"),
    (FIT + "--model.cell gru --model.hidden_size 10000000", "gru: its weights need"),
    (FIT + f"--model.cell lstm --model.hidden_size {LONG}", "lstm: its weights need"),
    (FIT + "--model.cell orthogonal --model.hidden_size 10000000", "orthogonal: its weights need"),
    (FIT + f"--model.cell qlstm --model.hidden_size {LONG}", "qlstm: its weights need"),
    # 512 sequences of 10^8 steps of 136 bytes are 6.3 TiB.
    ("fit --config copying --data.delay 100000000", "copying: the sequences need 6.3 TiB"),
    (f"fit --config copying --data.delay {LONG}", "copying: the sequences need over 10^"),
    (f"fit --config copying --data.batch_size {LONG}", "batch_size"),
    ("fit --config copying --data.evaluation_size 1000000000000", "evaluation_size"),
    (f"fit --config copying --data.steps_per_epoch {LONG}", "steps_per_epoch"),
    ("fit --config sentiment --data.train_size 100000000000", "sentiment: the sentences need"),
    # Numbers that are none, or that no generator takes.
    (FIT + "--seed 99999999999", "seed: expected an integer from 0 to 4294967295, got '99999999999'"),
    (FIT + "--seed -1", "got '-1'"),
    (FIT + "--seed 1.5", "got '1.5'"),
    (FIT + "--seed null", "got 'null'"),
    (FIT + "--model.n_qubits nan", "expected an integer, got 'nan'"),
    (FIT + "--model.n_qubits ''", "n_qubits"),
    (FIT + "--model.learning_rate .nan", "learning_rate must be above 0 and finite"),
    (FIT + "--model.learning_rate 1e400", "learning_rate must be above 0 and finite"),
    (FIT + "--model.cell_rate .inf", "cell_rate must be above 0 and finite"),
    (FIT + "--checkpoint_every -1", "expected an integer of at least 0"),
    # Lightning's settings.
    (
        FIT + "--trainer.accumulate_grad_batches 0",
        "accumulate_grad_batches: expected an integer of at least 1, got '0'",
    ),
    (FIT + "--trainer.accumulate_grad_batches -1", "got '-1'"),
    (FIT + "--trainer.check_val_every_n_epoch 0", "check_val_every_n_epoch"),
    (FIT + "--trainer.log_every_n_steps -1", "log_every_n_steps"),
    (FIT + "--trainer.accelerator tpu", "torch_xla"),
    (FIT + "--trainer.profiler xla", "Choose one of: simple, advanced, pytorch"),
    (FIT + "--trainer.precision transformer-engine", "transformer_engine"),
    (FIT + "--trainer.precision foo", "Choose one of: 64, 32, 16, transformer-engine"),
    (FIT + "--trainer.strategy ddp_notebook", "use --trainer.strategy ddp"),
    (FIT + "--trainer.num_nodes 2", "would wait for them in vain"),
    (FIT + "--trainer.gradient_clip_val -1", "gradient_clip_val must be at least 0"),
    (FIT + "--trainer.max_epochs -1", "needs an end"),
    (FIT + "--trainer.max_time 00:00:00:00", "over before it begins"),
    (FIT + """--trainer.max_time '{"hours": -1}'""", "over before it begins"),
    (FIT + "--trainer.limit_train_batches 0", "leaves none of 21 batches"),  # 1293 scans in batches of 64
    (FIT + "--trainer.limit_train_batches 0.01", "leaves none of 21 batches"),
    (FIT + "--trainer.limit_test_batches 0", "leaves none of 6 batches"),  # 360 scans
    # Callbacks.
    (FIT + "--trainer.callbacks EarlyStopping", "EarlyStopping: the following arguments are required: monitor"),
    (FIT + "--trainer.callbacks EarlyStoping", "Did you mean 'EarlyStopping'?"),
    (FIT + "--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val_acc", "Did you mean 'val_accuracy'?"),
    (
        FIT + "--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val_loss --trainer.limit_val_batches 0",
        "EarlyStopping monitors 'val_loss', which this task does not log",
    ),
    (FIT + "--trainer.callbacks EarlyStopping --trainer.callbacks.monitr x", "Option 'monitr' is not accepted"),
    (
        FIT + "--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val_loss --trainer.callbacks.mode foo",
        "`mode` can be min, max, got foo",
    ),
    (FIT + "--trainer.callbacks Timer --trainer.callbacks.duration 1", "cannot be written to config.yaml"),
    (FIT + "--trainer.callbacks 3", "trainer.callbacks"),
    # Settings that are withheld on purpose.
    (FIT + "--trainer.logger true", "'--trainer.logger' cannot be set: metrics are always written to metrics.jsonl"),
    (FIT + "--trainer.default_root_dir x", "--runs says where"),
    (FIT + "--trainer.enable_checkpointing false", "always keeps last.ckpt"),
    (FIT + "--trainer.fast_dev_run 1", "--trainer.max_steps 1"),
    (FIT + "--trainer.benchmark true", "it is Lightning's"),
    (FIT + "--ckpt_path x", "resumes its own run by itself"),
    (FIT + "--seed_everything 3", "use --seed"),
    (FIT + "--data.seed 3", "use --seed"),
    (FIT + "--model.input_size 3", "it follows from the data"),
    # Groups, files and folders.
    (FIT + "--model foo", "expected settings by name, such as --model.NAME VALUE, got 'foo'"),
    (FIT + "--runs /proc/foo", "--runs: cannot write into '/proc/foo/"),
    (FIT + "--runs /dev/null", "--runs: cannot write into '/dev/null/"),
    (FIT + "--runs ''", "--runs: there is no name of a folder"),
    (FIT + "--runs " + 300 * "a", "File name too long"),
    (FIT + "--config /", "no file '/'"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, and fail where training begins."""

    def train(*_: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(SequenceTask, "training_step", train)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(arguments: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one sentence of a refusal that leaves nothing behind."""
    before = sorted(here.rglob("*"))
    assert main(arguments) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert sorted(here.rglob("*")) == before
    return sentence


@pytest.mark.parametrize(("request_", "says"), REQUESTS, ids=[request_ for request_, _ in REQUESTS])
def test_a_wrong_request(request_: str, says: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(shlex.split(request_), here, capsys)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model:\n", "leave 'model:' out where nothing is set"),
        ("model: null\n", "leave 'model:' out where nothing is set"),
        ("trainer: []\n", "trainer in mine.yaml must hold settings by name, got []"),
        ("data: 3\n", "data in mine.yaml must hold settings by name, got 3"),
        ("3: 4\n", "must hold settings by name"),
        ("model: &a\n  x: *a\n", "not valid YAML"),
        ("model: !foo 3\n", "not valid YAML"),
        ('runs: "a\\0b"\n', "null byte"),
        ("trainer:\n  logger: true\n", "'trainer.logger' cannot be set"),
        ("trainer:\n  callbacks: EarlyStopping\n", "EarlyStopping: the following arguments are required: monitor"),
        (
            "trainer:\n  callbacks:\n    class_path: EarlyStopping\n    init_args: {monitor: val_acc}\n",
            "Did you mean 'val_accuracy'?",
        ),
    ],
)
def test_a_wrong_file(text: str, says: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text(text)
    assert says in refused([*FIT.split(), "--config", "mine.yaml"], here, capsys)


def test_a_file_that_cannot_be_decoded(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not valid YAML" in refused([*FIT.split(), "--config", "mine.yaml"], here, capsys)


def test_texts_of_one_class_are_refused_before_the_training(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasets")
    Path("mine").mkdir()
    for split, labels in {"train": 40 * [1], "test": [0, 1]}.items():
        rows = [{"text": f"word{number} good", "label": label} for number, label in enumerate(labels)]
        Path(f"mine/{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    cache = ["--data.cache_dir", str(here / "cache")]
    assert main(["fit", "--config", "sentiment", "--data.source", "mine", *cache]) == 2
    assert "every training text of mine has label 1" in capsys.readouterr().err.splitlines()[-1]
    assert not Path("runs").exists()


def test_every_setting_of_lightnings_trainer_is_the_users_or_withheld_for_a_reason() -> None:
    for name, reason in withheld().items():
        assert reason, name
    assert withheld()["trainer.sync_batchnorm"]
    assert "trainer.max_epochs" not in withheld()


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightning_modules.tasks.task, "create_cell", None)  # what a line of ours calls
    with pytest.raises(TypeError, match="not callable") as fault:
        main(FIT.split())
    assert "please report it" in fault.value.__notes__[0]
