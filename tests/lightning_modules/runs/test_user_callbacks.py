"""Lightning's callbacks in a run: each one works and is saved, or is refused with what to use instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import pytorch_lightning.callbacks
import torch

from lightning_modules.cli.cli import main
from lightning_modules.runs.user_callbacks import REFUSED
from tests.lightning_modules.small_runs import SMALL, Fit, KillAt, Killed, only_run, weights

# Lightning's that a run takes, with what they cannot do without.
ACCEPTED: dict[str, dict[str, object]] = {
    "Callback": {},
    "Checkpoint": {},
    "DeviceStatsMonitor": {},
    "EarlyStopping": {"monitor": "val_loss"},
    "EMAWeightAveraging": {},
    "LambdaCallback": {},
    "LearningRateMonitor": {},
    "ModelCheckpoint": {"save_top_k": -1},
    "ModelSummary": {},
    "RichModelSummary": {},
    "ThroughputMonitor": {"batch_size_fn": "builtins.len"},
    "WeightAveraging": {},
}
NEEDED = {"StochasticWeightAveraging": {"swa_lrs": 0.01}, "GradientAccumulationScheduler": {"scheduling": {0: 2}}}
NEEDED |= {"OnExceptionCheckpoint": {"dirpath": "."}, "ModelPruning": {"pruning_fn": "l1_unstructured", "amount": 0.5}}
NEEDED |= {"Timer": {"duration": "00:00:01:00"}}
EVERY_ONE = pytorch_lightning.callbacks.__all__
refused = {name for name in EVERY_ONE if issubclass(getattr(pytorch_lightning.callbacks, name), tuple(REFUSED))}


def given(name: str, **arguments: object) -> tuple[str, str]:
    described = {"class_path": f"pytorch_lightning.callbacks.{name}", "init_args": arguments}
    return "--trainer.callbacks", json.dumps([described])


def test_every_callback_of_lightning_is_accepted_or_refused() -> None:
    assert sorted(refused | ACCEPTED.keys()) == sorted(EVERY_ONE)
    assert not refused & ACCEPTED.keys()


@pytest.mark.parametrize("name", sorted(refused))
def test_a_callback_that_no_checkpoint_holds_is_refused(
    name: str, fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(*given(name, **NEEDED.get(name, {}))) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"trainer.callbacks: {name} is not for a run: ")
    assert len(told.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_callback_is_refused_from_yaml_too(fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "swa.yaml"
    name = "pytorch_lightning.callbacks.StochasticWeightAveraging"
    config.write_text(f"trainer:\n  callbacks:\n  - class_path: {name}\n    init_args: {{swa_lrs: 0.01}}\n")
    assert fit("--config", str(config)) == 2
    assert "use EMAWeightAveraging" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(ACCEPTED))
@pytest.mark.filterwarnings("ignore:When using the `ThroughputMonitor`")
def test_a_callback_that_is_accepted_leaves_a_whole_run(name: str, fit: Fit, tmp_path: Path) -> None:
    assert fit(*given(name, **ACCEPTED[name])) == 0
    run = only_run(tmp_path / "runs")
    assert json.loads((run / "result.json").read_text())["steps"] == 10


def test_averaged_weights_are_saved_tested_and_resumed_exactly(fit: Fit, kill_at: KillAt, tmp_path: Path) -> None:
    average = (*given("EMAWeightAveraging", decay=0.5), "--trainer.limit_val_batches", "0")  # so last.ckpt is tested
    assert fit(*average, runs="whole") == 0
    kill_at(7)
    with pytest.raises(Killed):
        fit(*average, "--checkpoint_every", "1")
    kill_at(-1)
    assert fit(*average) == 0
    whole, resumed = (only_run(tmp_path / runs) / "checkpoints" / "last.ckpt" for runs in ("whole", "runs"))
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name
    contents = torch.load(whole, weights_only=True)
    # The checkpoint holds the average, from which result.json is measured, and beside it where training stood.
    assert not torch.equal(contents["state_dict"]["head.weight"], contents["current_model_state"]["head.weight"])


def test_checkpoints_of_the_user_lie_beside_those_of_the_run(fit: Fit, tmp_path: Path) -> None:
    assert fit(*given("ModelCheckpoint", save_top_k=-1)) == 0
    run = only_run(tmp_path / "runs")
    found = {path.relative_to(run).as_posix() for path in run.rglob("*.ckpt")}
    names = ("best", "last", "epoch=0-step=5", "epoch=1-step=10")
    assert found == {f"checkpoints/{name}.ckpt" for name in names}
    theirs = run / "checkpoints" / "epoch=0-step=5.ckpt"
    assert main(["test", *SMALL, "--checkpoint", str(theirs)]) == 0


@pytest.mark.parametrize("arguments", [{"save_last": True}, {"filename": "best"}, {"filename": "last"}])
def test_checkpoints_of_the_user_do_not_replace_those_of_the_run(
    arguments: dict[str, object], fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(*given("ModelCheckpoint", **arguments)) == 2
    assert "would write over the run's own" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_profiler_that_was_asked_for_prints_its_table(fit: Fit, caplog: pytest.LogCaptureFixture) -> None:
    assert fit("--trainer.profiler", "simple") == 0
    assert "FIT Profiler Report" in caplog.text
    assert "run_training_batch" in caplog.text
