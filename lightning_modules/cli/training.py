"""One training in the directory of its run: everything refused before it begins, what is written, what is said."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.exceptions import SIGTERMException

from backends.errors import InvalidInput
from lightning_modules.cli.refusals import in_one_sentence
from lightning_modules.cli.trainer_settings import require_trainable
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.checkpoints import (
    read_checkpoint,
    require_place,
    require_same_run,
    require_same_weights,
    taking_up,
)
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.measured import InferenceClock, PeakMemory
from lightning_modules.runs.processes import Together, connected, lost_another
from lightning_modules.runs.progress import listed, say
from lightning_modules.runs.run_checkpoint import RunCheckpoint
from lightning_modules.runs.run_directory import (
    RunDirectory,
    alone_in,
    environment,
    leaves_nothing,
    write_atomically,
    write_json,
)
from lightning_modules.tasks.contract import baselines_of, require_contract
from lightning_modules.tasks.task import SequenceTask
from tnqrnn import signals


@dataclass
class Training:
    """A training that was asked for, and the parts that were built for it."""

    task: str
    seed: int
    config: str  # all settings, as YAML
    run: RunDirectory
    trainer: Trainer
    model: SequenceTask
    data: SequenceData
    checkpoints: RunCheckpoint
    clock: InferenceClock
    together: Together = field(init=False)

    def __post_init__(self) -> None:
        self.together = Together(self.trainer)

    def carry_out(self) -> None:
        """Train, test the best checkpoint, and write the result; alone in the run's directory.

        Raises:
            InvalidInput: The request is refused; nothing is left behind.
            TrainingStopped: The training could not go on.
        """
        self.together.meet(str(self.run.path))
        self.together.all_accept(self._require_parts)
        with leaves_nothing(self.run.path):
            self._alone()

    def _alone(self) -> None:
        lock = alone_in(self.run.path, "tnqrnn fit", "choose another --runs or --seed")
        try:
            with ExitStack() as stack:
                if self.trainer.is_global_zero or connected():
                    self.together.by_first(lambda: stack.enter_context(lock))  # the first process stands for all
                with signals.postponing(), unheard_signals(f"the same command goes on with {self.run.path}"):
                    self._train()
        except RuntimeError as error:
            if not lost_another(error):
                raise
            raise TrainingStopped(
                f"stopped at step {self.trainer.global_step}: another process of this training is gone; if it said "
                f"why, it is above. The same command goes on with {self.run.path}."
            ) from error

    def _require_parts(self) -> None:
        """Refuse what lacks a part, batches that the processes cannot share, or whose parts do not fit the memory."""
        require_contract(self.model, self.data)
        require_trainable(self.trainer, self.model, self.data)
        if self.together.size > 1:
            self.data.require_parts(self.together.size)
        part = -(-self.data.batch_size // self.together.size)
        on_cpu = self.trainer.strategy.root_device.type == "cpu"
        # The processes of a node share its memory.
        self.model.require_memory(part * self.together.per_node if on_cpu else part)

    def _train(self) -> None:
        convert(self.model, self.trainer)
        resume_from = self.run.last if self.together.by_first(self._resumes) else None
        self._describe()
        memory = PeakMemory()
        try:
            with in_one_sentence("trainer", only_if=lambda: not self.checkpoints.has_started):
                self.trainer.fit(self.model, datamodule=self.data, ckpt_path=resume_from, weights_only=True)
        except InvalidInput as refusal:
            if self.trainer.global_step == 0 and not connected():
                raise
            # The request was fine, its course was not: a backend refuses angles that are NaN, for one.
            raise TrainingStopped(f"stopped at step {self.trainer.global_step}: {refusal}") from refusal
        except Exception as error:
            if resume_from is None or self.checkpoints.has_begun or lost_another(error):
                raise
            with taking_up(resume_from):
                raise
        self._finish(memory.above_start())
        if (number := signals.asked()) is not None:
            raise signals.Left(number, f"told by {signal.Signals(number).name} to leave: {self.run.path} is done.")

    def _describe(self) -> None:
        """Write down and say what is trained, on what, with what."""
        facts, counts = self.data.facts(), self.model.parameter_counts()
        if self.trainer.is_global_zero:
            write_atomically(self.run.config, self.config)
            computed_with = environment(_device(self.trainer), self.data.sha256)
            write_json(self.run.env, {**computed_with, "processes": self.together.size, "data": facts})
        if facts:
            say(f"data: {', '.join(f'{name} {value}' for name, value in facts.items())}")
        parts = ", ".join(f"{part} {count}" for part, count in counts.items() if part != "total")
        say(f"{self.task}: {counts['total']} parameters ({parts})")
        for choice in self.model.backend_choices():
            say(f"backend: {choice}")

    def _resumes(self) -> bool:
        if not self.run.last.exists():
            say(f"run: {self.run.path}")
            return False
        checkpoint = read_checkpoint(self.run.last)
        require_same_run(checkpoint, self.run)
        require_same_weights(checkpoint, self.model, self.run.last)
        require_place(checkpoint, self.data, self.run.last)
        say(f"resuming {self.run.path} after step {checkpoint['global_step']}")
        return True

    def _finish(self, peak_memory: int) -> None:
        """Test the best checkpoint and write the result, as the last thing of all; peak memory in bytes."""
        epochs, steps, seconds = self.trainer.current_epoch, self.trainer.global_step, self.checkpoints.seconds
        tested = self.run.best_or_last()
        read_checkpoint(tested)  # a broken file is refused in our words
        measured = self.trainer.test(
            self.model, datamodule=self.data, ckpt_path=tested, weights_only=True, verbose=False
        )
        metrics = measured[0] if measured else {}  # nothing, with trainer.limit_test_batches 0
        baselines, no_baselines = baselines_of(self.data)
        result = {
            "task": self.task,
            "data": self.data.data_kind,
            "seed": self.seed,
            "config_hash": self.run.config_hash,
            "metrics": dict(metrics),
            "baselines": baselines,
            **({"no_baselines": no_baselines} if no_baselines else {}),
            "checkpoint": tested.name,
            "parameters": self.model.parameter_counts(),
            "epochs": epochs,
            "steps": steps,
            "seconds": round(seconds, 3),
            "inference_ms_per_sample": self.clock.milliseconds_per_sample,
            "peak_memory_bytes": peak_memory,
        }
        if self.trainer.is_global_zero:
            write_json(self.run.result, result)
        say(f"{listed(metrics)}  ({tested.name}, {seconds:.1f} s)")
        if baselines or no_baselines:
            say(no_baselines or f"baselines: {listed(baselines)}")
        say(f"run: {self.run.path}")


def convert(model: SequenceTask, trainer: Trainer) -> None:
    """Give the model the dtype of trainer.precision now: Lightning would round a checkpoint's float64 first."""
    trainer.precision_plugin.convert_module(model)


@contextmanager
def unheard_signals(goes_on: str) -> Iterator[None]:
    """Say what Lightning's ending means where nobody listens for signals: in a notebook, or another program."""
    try:
        yield
    except signals.Left:
        raise
    except SystemExit as end:  # of SIGTERM without a number, of an interrupt with 1
        number = signal.SIGTERM if isinstance(end, SIGTERMException) else signal.SIGINT
        raise signals.Left(number, f"interrupted by {number.name}; {goes_on}.") from end


def _device(trainer: Trainer) -> str:
    device = trainer.strategy.root_device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
