"""Who started the processes of a training, and how they share it; `tests/slurm` starts real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.data.loaders import EpochBatches, share
from lightning_modules.runs.processes import Launch, set_threads, trainer_settings
from lightning_modules.runs.random_states import random_states
from lightning_modules.runs.run_checkpoint import RunCheckpoint
from lightning_modules.runs.run_directory import RunDirectory, config_hash
from tests.lightning_modules.small_runs import SMALL

SRUN = {"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2", "SLURM_NTASKS": "4"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}


def test_srun_and_torchrun_are_found() -> None:
    assert Launch.find({}) is None
    assert Launch.find(SRUN) == Launch("srun", 4, 2)
    assert Launch.find(TORCHRUN) == Launch("torchrun", 4, 2)
    assert Launch.find({**SRUN, **TORCHRUN, "WORLD_SIZE": "2"}) == Launch("torchrun", 2, 1)  # torchrun inside a job
    assert Launch.find({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"}) is None  # a batch script without srun
    assert Launch.find({**SRUN, "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"}) is None
    assert Launch.find({**SRUN, "SLURM_JOB_NAME": "bash"}) is None  # a shell opened by srun


def test_uneven_nodes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="srun started 3 processes on 2 nodes"):
        Launch.find({**SRUN, "SLURM_STEP_NUM_TASKS": "3"})


@pytest.mark.parametrize("asked", [(2, 2), (1, 1), ("auto", 1), (-1, 1), ("2", 2)])
def test_what_was_started_need_not_be_asked_for(asked: tuple[int | str, int]) -> None:
    Launch("srun", 4, 2).require_devices(*asked)


@pytest.mark.parametrize(("asked", "name"), [((4, 1), "devices"), ((1, 4), "num_nodes"), (([0], 1), "devices")])
def test_another_number_than_was_started_is_refused(asked: tuple[int, int], name: str) -> None:
    with pytest.raises(InvalidInput, match=f"trainer: {name} is .* srun started 4 processes on 2 nodes"):
        Launch("srun", 4, 2).require_devices(*asked)


def test_settings_of_the_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trainer_settings(1, 1) == {"use_distributed_sampler": False}
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2"}.items():
        monkeypatch.setenv(name, value)
    [environment] = trainer_settings(1, 1)["plugins"]
    assert isinstance(environment, LightningEnvironment)  # alone in a job of four tasks, and not waiting for them
    for name, value in {**SRUN, "MASTER_ADDR": "first", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    settings = trainer_settings(1, 1)
    [environment] = settings["plugins"]
    assert (settings["devices"], settings["num_nodes"]) == (2, 2)
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue  # its checkpoints are found by any later run in the same folder
    assert environment.main_address == "first"
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert isinstance(trainer_settings(1, 1)["plugins"][0], TorchElasticEnvironment)


@pytest.mark.parametrize(
    ("job", "threads"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "3"}, None),  # the user knows better
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}, 1),
        ({**SRUN, "SLURM_CPUS_ON_NODE": "2"}, 1),  # two processes on a node
    ],
)
def test_threads_of_a_process(job: dict[str, str], threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "")  # so that what is set below is taken back
    monkeypatch.delenv("OMP_NUM_THREADS")
    given: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    set_threads(job)
    assert given == ([] if threads is None else [threads])


@pytest.mark.parametrize(("samples", "processes"), [(10, 3), (3, 3), (2, 3), (0, 2), (64, 1)])
def test_shares_are_the_batch(samples: int, processes: int) -> None:
    batch = np.arange(samples)
    parts = [batch[share(samples, processes, rank)] for rank in range(processes)]
    assert np.array_equal(np.concatenate(parts), batch)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def served(rank: int, processes: int, *, size: int = 10, order: str = "shuffled") -> Sequence[Sequence[int]]:
    batches = EpochBatches(size, batch_size=4, order=order, seed=1)
    batches.share_among(processes, rank, wholly=False)
    found = list(batches)
    assert len(found) == len(batches)
    return found


def test_processes_serve_the_batches_of_one() -> None:
    whole = list(EpochBatches(10, 4, "shuffled", 1))
    parts = [served(rank, 2) for rank in range(2)]
    assert [[*first, *second] for first, second in zip(*parts, strict=True)] == whole


def test_a_last_batch_that_is_too_small_is_left_to_the_first() -> None:
    parts = [served(rank, 3, size=9, order="fixed") for rank in range(3)]
    assert [len(part) for part in parts] == [3, 2, 2]
    assert sorted(sample for part in parts for batch in part for sample in batch) == list(range(9))


@pytest.mark.parametrize(("size", "processes"), [(9, 2), (100, 5), (3, 4)])
def test_training_batches_that_cannot_be_shared_are_refused(size: int, processes: int) -> None:
    with pytest.raises(InvalidInput, match=f"{processes} processes cannot share a batch"):
        EpochBatches(size, 4, "shuffled", 0).share_among(processes, 0, wholly=True)


def test_the_number_of_processes_does_not_name_another_run() -> None:
    one = {"model": {}, "trainer": {"devices": 1, "num_nodes": 1, "strategy": "auto", "max_epochs": 2}}
    many = {"model": {}, "trainer": {"devices": 4, "num_nodes": 2, "strategy": "ddp", "max_epochs": 2}}
    assert config_hash(one) == config_hash(many)


def test_asking_for_other_processes_than_were_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert main(["fit", *SMALL, "--runs", str(tmp_path), "--trainer.devices", "3"]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("trainer: devices is 3, but torchrun started 4 processes on 2 nodes")
    assert len(captured.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@dataclass
class FakeTrainer:
    """What a callback asks of a trainer when training starts."""

    global_rank: int
    world_size: int = 2
    global_step: int = 0
    fit_loop: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(restarting=False))


def drawn_at_the_start(tmp_path: Path, trainer: FakeTrainer, resumed: dict[str, object] | None = None) -> list[float]:
    torch.manual_seed(0)  # as Lightning does in every process, for the same weights
    checkpoint = RunCheckpoint(RunDirectory(tmp_path, ""), "digits", "")
    if resumed is not None:
        checkpoint.load_state_dict(resumed)
    checkpoint.on_train_start(trainer, None)  # type: ignore[arg-type]
    return torch.rand(4).tolist()


def test_every_process_draws_masks_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    torch.manual_seed(0)
    alone = torch.rand(4).tolist()
    first, second = (drawn_at_the_start(tmp_path, FakeTrainer(rank)) for rank in range(2))
    assert first == alone
    assert second != first
    assert second == drawn_at_the_start(tmp_path, FakeTrainer(1))
    # Resumed by as many processes, each goes on with its own state; by more, the new ones begin anew.
    torch.manual_seed(7)
    states = random_states()
    kept = {"best_score": 1.0, "seconds": 0.0, "random": states, "random_of_others": [states]}
    expected = torch.rand(4).tolist()
    assert [drawn_at_the_start(tmp_path, FakeTrainer(rank), kept) for rank in range(2)] == [expected] * 2
    assert drawn_at_the_start(tmp_path, FakeTrainer(2, world_size=3), kept) != expected
