"""Lightning's command line for one task: the settings it takes, the run directory it fills, the three commands."""

from __future__ import annotations

import json
import signal
import sys
from argparse import ArgumentError
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse.typing import NonNegativeInt, restricted_number_type
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning import Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import SIGTERMException

from backends.errors import InvalidInput, require_choice
from lightning_modules.cli.command_line import COMMANDS, CommandLine, shipped_names
from lightning_modules.cli.refusals import explain, in_one_sentence
from lightning_modules.cli.trainer_settings import (
    PROFILERS,
    add_trainer_arguments,
    as_list,
    require_trainable,
    withheld,
)
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.checkpoint_files import CheckpointFiles
from lightning_modules.runs.checkpoints import (
    RunCheckpoint,
    read_checkpoint,
    require_place,
    require_same_data,
    require_same_run,
    require_same_weights,
    taking_up,
)
from lightning_modules.runs.errors import RunDone, TrainingStopped
from lightning_modules.runs.measured import InferenceClock, PeakMemory
from lightning_modules.runs.metrics_log import MetricsLog
from lightning_modules.runs.processes import Together, connected, lost_another, trainer_settings
from lightning_modules.runs.progress import progress_callback
from lightning_modules.runs.run_directory import (
    RunDirectory,
    alone_in,
    environment,
    leaves_nothing,
    require_writable,
    write_atomically,
    write_json,
)
from lightning_modules.runs.user_callbacks import require_own_names, require_saved
from lightning_modules.tasks.contract import baselines_of, require_contract
from lightning_modules.tasks.no_effect import JUDGED, changed, require_effect, without_leftovers
from lightning_modules.tasks.registry import TASKS
from lightning_modules.tasks.task import SequenceTask
from tnqrnn import signals

# What numpy's generators take.
Seed = restricted_number_type("Seed", int, [(">=", 0), ("<=", 2**32 - 1)], docstring="Integer from 0 to 4294967295.")


class TaskCLI(LightningCLI):
    """Lightning's command line for one task, with run directories and refusals in one sentence."""

    run: RunDirectory
    checkpoints: RunCheckpoint
    clock: InferenceClock

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        self.task = _task_of(line)
        super().__init__(
            model_class=TASKS[self.task].model,
            datamodule_class=TASKS[self.task].data,
            save_config_callback=None,
            parser_kwargs=_parser_settings(),
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=[line.command, *line.arguments],
        )

    # Settings --------------------------------------------------------------------------------------------------------

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the commands, and which of the Trainer's arguments they do not take from the user."""
        ours = {"model", "datamodule", "ckpt_path", "weights_only", "verbose"}
        loaders = {"train_dataloaders", "val_dataloaders", "dataloaders"}
        return dict.fromkeys(COMMANDS, ours | loaders)

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the settings that stand outside model, data and trainer."""
        parser.add_argument("--task", default=self.task, help="What is learned; usually set by the configuration.")
        parser.add_argument("--seed", type=Seed, default=0, help="Seed of weights, dropout and data order.")
        parser.add_argument("--seed_everything", type=int, default=0, help="Seed of every generator.")
        parser.add_argument("--runs", type=str, default="runs", help="Folder in which every run has its own folder.")
        parser.add_argument(
            "--checkpoint_every",
            type=NonNegativeInt,
            default=0,
            help="Write last.ckpt also every so many steps; 0: after every epoch only.",
        )
        parser.add_argument(
            "--checkpoint",
            type=str | None,
            default=None,
            help="validate and test: the checkpoint to evaluate, by default the best one of this run.",
        )

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add model, data, and those settings of the Trainer that are the user's."""
        parser.add_lightning_class_args(self._model_class, "model")
        parser.add_lightning_class_args(self._datamodule_class, "data")
        add_trainer_arguments(parser)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Tell the model what the data are like, and everybody the seed."""
        if self.line.wants_help:
            self._show_values_of_config(parser)
        parser.link_arguments("seed", "seed_everything")
        parser.link_arguments("seed", "data.seed")
        for name in ("input_size", "output_size", "sequence_length"):
            parser.link_arguments(f"data.{name}", f"model.{name}", apply_on="instantiate")

    def _show_values_of_config(self, parser: LightningArgumentParser) -> None:
        """Let the help show what the configurations on the command line say, as the run would have it."""
        known = set(parser.get_defaults().keys())
        for _, settings in self.line.configurations:
            values = dict(_dotted(settings, known))
            parser.set_defaults({name: value for name, value in values.items() if name in known})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the command line.

        Raises:
            InvalidInput: A setting is unknown, or its value is not of the expected type.
        """
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            keys = list(self._parser(args[0]).get_defaults().keys())
            raise InvalidInput(f"tnqrnn {args[0]}: {explain(str(error), keys, COMMANDS, withheld())}") from error

    # Before anything is computed -------------------------------------------------------------------------------------

    def before_instantiate_classes(self) -> None:
        """Find the run's directory.

        Raises:
            RunDone: The result is already in it.
        """
        settings = self.config[self.subcommand]
        if settings["trainer"]["callbacks"] is not None:
            settings["trainer"]["callbacks"] = as_list(settings["trainer"]["callbacks"])
        self._require_used(settings)
        require_saved(settings["trainer"]["callbacks"])
        with in_one_sentence(f"tnqrnn {self.subcommand}: a setting cannot be written into config.yaml"):
            self.config_text = self._parser(self.subcommand).dump(settings, skip_unset=False)
        self.run = RunDirectory.of(
            Path(settings["runs"]), self.task, settings["seed"], yaml.safe_load(self.config_text)
        )
        if self.subcommand == "fit":
            self._before_fit(settings)

    def _before_fit(self, settings: Any) -> None:
        if not settings["runs"]:
            raise InvalidInput("--runs: there is no name of a folder; leave it out for the folder 'runs'.")
        require_writable(self.run.path, "--runs")
        for name in ("max_epochs", "max_steps"):
            if settings["trainer"][name] == 0:
                raise InvalidInput(f"tnqrnn fit: trainer.{name} is 0, so nothing would be trained; leave it out.")
        if settings["checkpoint"] is not None:
            raise InvalidInput("tnqrnn fit: --checkpoint is for validate and test; fit resumes its own run by itself.")
        self.skip_done()

    def skip_done(self) -> None:
        """Leave a finished run alone.

        Raises:
            RunDone: The result is there.
        """
        if self.run.is_done():
            done = RunDone(self.run)
            say(str(done))
            result = json.loads(self.run.result.read_text())
            say(f"{_line(result['metrics'])}  ({result['checkpoint']}, {result['seconds']:.1f} s)")
            raise done
        if self.run.result.exists():
            say(f"{self.run.result} is not the whole result of a run, so the run goes on")

    def _require_used(self, settings: Any) -> None:
        """Refuse settings that have no effect, of every configuration and of the command line by itself.

        What the command line took the effect of, by another cell or backend than its configuration's, is let go.
        """
        defaults = SequenceTask.defaults()
        model = dict(defaults)
        for path, given in self.line.configurations:
            of_model = given.get("model", {})
            model |= of_model
            require_effect(f"config {path}", model, changed(of_model, defaults), "model.")
        flags = [name for name in JUDGED if f"--model.{name}" in self.line.flags]
        require_effect("tnqrnn", settings["model"], flags, "--model.")
        kept = without_leftovers(settings["model"].as_dict(), defaults)
        for name in JUDGED:
            settings["model"][name] = kept[name]

    def instantiate_classes(self) -> None:
        """Build data, model, callbacks and trainer.

        Raises:
            InvalidInput: One of them refuses its settings, or one of Lightning's classes fails.
        """
        with in_one_sentence(f"tnqrnn {self.subcommand}"):
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return a trainer that logs, saves and reports into the run's directory."""
        settings = self._get(self.config_init, "trainer")
        wants_progress = settings.get("enable_progress_bar") is not False
        fits = self.subcommand == "fit"
        callbacks = as_list(settings.get("callbacks"))
        require_own_names(callbacks, self.run.last.parent)
        if fits:
            every = self._get(self.config_init, "checkpoint_every")
            self.checkpoints = RunCheckpoint(self.run, self.task, self.config_text, every)
            self.clock = InferenceClock()
            callbacks += [self.checkpoints, self.clock]
        if fits and wants_progress:
            callbacks.append(progress_callback(TASKS[self.task].headline))
        owned: dict[str, Any] = {
            "callbacks": callbacks,
            "logger": MetricsLog(self.run.metrics) if fits else False,
            "default_root_dir": str(self.run.path),
            "enable_checkpointing": fits,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": fits and wants_progress and sys.stdout.isatty(),
        }
        owned |= trainer_settings(settings["devices"], settings["num_nodes"])
        owned["plugins"] = [*owned.get("plugins", []), CheckpointFiles()]
        if isinstance(settings["profiler"], str):
            require_choice("trainer", "profiler", settings["profiler"], PROFILERS)
        with in_one_sentence("trainer"):
            return super().instantiate_trainer(**owned, **kwargs)

    # The commands ----------------------------------------------------------------------------------------------------

    def fit(self, model: SequenceTask, datamodule: SequenceData) -> None:
        """Train, test the best checkpoint, and write the result; alone in the run's directory."""
        together = Together(self.trainer)
        together.meet(str(self.run.path))
        together.all_accept(lambda: self._require_parts(model, datamodule, together))
        with leaves_nothing(self.run.path):
            self._fit_alone(model, datamodule, together)

    def _fit_alone(self, model: SequenceTask, datamodule: SequenceData, together: Together) -> None:
        lock = alone_in(self.run.path, "tnqrnn fit", "choose another --runs or --seed")
        try:
            with ExitStack() as stack:
                if self.trainer.is_global_zero or connected():
                    together.by_first(lambda: stack.enter_context(lock))  # the first process stands for all
                with signals.postponing(), _unheard_signals(f"the same command goes on with {self.run.path}"):
                    self._fit(model, datamodule, together)
        except RuntimeError as error:
            if not lost_another(error):
                raise
            raise TrainingStopped(
                f"stopped at step {self.trainer.global_step}: another process of this training is gone; if it said "
                f"why, it is above. The same command goes on with {self.run.path}."
            ) from error

    def _require_parts(self, model: SequenceTask, datamodule: SequenceData, together: Together) -> None:
        """Refuse what lacks a part, batches that the processes cannot share, or whose parts do not fit the memory."""
        require_contract(model, datamodule)
        require_trainable(self.trainer, model, datamodule)
        if together.size > 1:
            datamodule.require_parts(together.size)
        part = -(-datamodule.batch_size // together.size)
        on_cpu = self.trainer.strategy.root_device.type == "cpu"
        model.require_memory(part * together.per_node if on_cpu else part)  # the processes of a node share its memory

    def _fit(self, model: SequenceTask, datamodule: SequenceData, together: Together) -> None:
        self._convert(model)
        resumes = together.by_first(lambda: self._resumes(model))
        facts = datamodule.facts()
        if self.trainer.is_global_zero:
            write_atomically(self.run.config, self.config_text)
            computed_with = environment(_device(self.trainer), datamodule.sha256)
            write_json(self.run.env, {**computed_with, "processes": together.size, "data": facts})
        if facts:
            say(f"data: {', '.join(f'{name} {value}' for name, value in facts.items())}")
        counts = model.parameter_counts()
        parts = ", ".join(f"{part} {count}" for part, count in counts.items() if part != "total")
        say(f"{self.task}: {counts['total']} parameters ({parts})")
        for choice in model.backend_choices():
            say(f"backend: {choice}")
        resume_from = self.run.last if resumes else None
        memory = PeakMemory()
        try:
            with in_one_sentence("trainer", only_if=lambda: not self.checkpoints.has_started):
                self.trainer.fit(model, datamodule=datamodule, ckpt_path=resume_from, weights_only=True)
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
        self._finish(model, datamodule, memory.above_start())
        if (number := signals.asked()) is not None:
            raise signals.Left(number, f"told by {signal.Signals(number).name} to leave: {self.run.path} is done.")

    def validate(self, model: SequenceTask, datamodule: SequenceData) -> None:
        """Evaluate a checkpoint on the validation set."""
        self._evaluate("validate", model, datamodule)

    def test(self, model: SequenceTask, datamodule: SequenceData) -> None:
        """Evaluate a checkpoint on the test set."""
        self._evaluate("test", model, datamodule)

    def _convert(self, model: SequenceTask) -> None:
        """Give the model the dtype of trainer.precision now: Lightning would round a checkpoint's float64 first."""
        self.trainer.precision_plugin.convert_module(model)

    def _resumes(self, model: SequenceTask) -> bool:
        if not self.run.last.exists():
            say(f"run: {self.run.path}")
            return False
        checkpoint = read_checkpoint(self.run.last)
        require_same_run(checkpoint, self.run)
        require_same_weights(checkpoint, model, self.run.last)
        require_place(checkpoint, self.datamodule, self.run.last)
        say(f"resuming {self.run.path} after step {checkpoint['global_step']}")
        return True

    def _finish(self, model: SequenceTask, datamodule: SequenceData, peak_memory: int) -> None:
        """Test the best checkpoint and write the result, as the last thing of all; peak memory in bytes."""
        epochs, steps, seconds = self.trainer.current_epoch, self.trainer.global_step, self.checkpoints.seconds
        tested = self.run.best_or_last()
        read_checkpoint(tested)  # a broken file is refused in our words
        measured = self.trainer.test(model, datamodule=datamodule, ckpt_path=tested, weights_only=True, verbose=False)
        metrics = measured[0] if measured else {}  # nothing, with trainer.limit_test_batches 0
        baselines, no_baselines = baselines_of(datamodule)
        result = {
            "task": self.task,
            "data": datamodule.data_kind,
            "seed": self._get(self.config, "seed"),
            "config_hash": self.run.config_hash,
            "metrics": dict(metrics),
            "baselines": baselines,
            **({"no_baselines": no_baselines} if no_baselines else {}),
            "checkpoint": tested.name,
            "parameters": model.parameter_counts(),
            "epochs": epochs,
            "steps": steps,
            "seconds": round(seconds, 3),
            "inference_ms_per_sample": self.clock.milliseconds_per_sample,
            "peak_memory_bytes": peak_memory,
        }
        if self.trainer.is_global_zero:
            write_json(self.run.result, result)
        say(f"{_line(metrics)}  ({tested.name}, {seconds:.1f} s)")
        if baselines or no_baselines:
            say(no_baselines or f"baselines: {_line(baselines)}")
        say(f"run: {self.run.path}")

    def _evaluate(self, command: str, model: SequenceTask, datamodule: SequenceData) -> None:
        named = self._get(self.config, "checkpoint")
        path = Path(named) if named else self.run.best_or_last()
        checkpoint = read_checkpoint(path)
        require_same_weights(checkpoint, model, path)
        require_same_data(checkpoint, yaml.safe_load(self.config_text)["data"], path)
        self._convert(model)
        with taking_up(path):
            datamodule.load_state_dict(checkpoint[type(datamodule).__qualname__])
        evaluate = getattr(self.trainer, command)
        with _unheard_signals("the same command begins anew"):
            [metrics] = evaluate(model, datamodule=datamodule, ckpt_path=path, weights_only=True, verbose=False)
        say(f"{_line(metrics)}  ({path})")


def _task_of(line: CommandLine) -> str:
    """Return the name of the task, or of the first one for help without a configuration: most settings are common."""
    if line.task is None and line.wants_help:
        return next(iter(TASKS))
    if line.task is None:
        raise InvalidInput(
            f"tnqrnn {line.command}: no task is given; use --config with one of {', '.join(shipped_names())}, or with "
            "a file that has a line like 'task: digits'."
        )
    return require_choice("tnqrnn", "task", line.task, TASKS)


def _parser_settings() -> dict[str, Any]:
    options = {"exit_on_error": False, "allow_abbrev": False}
    per_command = {
        command: {**options, "description": text, "usage": f"tnqrnn {command} --config NAME [--setting value ...]"}
        for command, text in COMMANDS.items()
    }
    return {"prog": "tnqrnn", **options, **per_command}


@contextmanager
def _unheard_signals(goes_on: str) -> Iterator[None]:
    """Say what Lightning's ending means where nobody listens for signals: in a notebook, or another program."""
    try:
        yield
    except signals.Left:
        raise
    except SystemExit as end:  # of SIGTERM without a number, of an interrupt with 1
        number = signal.SIGTERM if isinstance(end, SIGTERMException) else signal.SIGINT
        raise signals.Left(number, f"interrupted by {number.name}; {goes_on}.") from end


@rank_zero_only
def say(text: str) -> None:
    """Tell the user something, once."""
    print(text, flush=True)


def _dotted(settings: Mapping[str, Any], known: Collection[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings by their dotted names."""
    for name, value in settings.items():
        if isinstance(value, dict) and prefix + name not in known:
            yield from _dotted(value, known, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _line(metrics: Any) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _device(trainer: Trainer) -> str:
    device = trainer.strategy.root_device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
