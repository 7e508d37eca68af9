"""Lightning's command line for one task: the settings it takes, the run directory it fills, the three commands."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentError
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonargparse.typing import NonNegativeInt, restricted_number_type
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from backends.errors import InvalidInput, require_choice
from lightning_modules.cli.command_line import COMMANDS, CommandLine, shipped_names
from lightning_modules.cli.refusals import explain, in_one_sentence
from lightning_modules.cli.trainer_settings import (
    PROFILERS,
    add_trainer_arguments,
    as_list,
    withheld,
)
from lightning_modules.cli.training import Training, convert, unheard_signals
from lightning_modules.data.loaders import SequenceData
from lightning_modules.runs.checkpoint_files import CheckpointFiles
from lightning_modules.runs.checkpoints import (
    read_checkpoint,
    require_same_data,
    require_same_weights,
    taking_up,
)
from lightning_modules.runs.measured import InferenceClock
from lightning_modules.runs.metrics_log import MetricsLog
from lightning_modules.runs.processes import trainer_settings
from lightning_modules.runs.progress import listed, progress_callback, say
from lightning_modules.runs.run_checkpoint import RunCheckpoint
from lightning_modules.runs.run_directory import (
    RunDirectory,
    require_writable,
)
from lightning_modules.runs.user_callbacks import require_own_names, require_saved
from lightning_modules.tasks.no_effect import JUDGED, changed, require_effect, without_leftovers
from lightning_modules.tasks.registry import TASKS
from lightning_modules.tasks.task import SequenceTask

# What numpy's generators take.
Seed = restricted_number_type("Seed", int, [(">=", 0), ("<=", 2**32 - 1)], docstring="Integer from 0 to 4294967295.")


class TaskCLI(LightningCLI):
    """Lightning's command line for one task, with run directories and refusals in one sentence."""

    run: RunDirectory
    checkpoints: RunCheckpoint
    clock: InferenceClock
    model: SequenceTask
    datamodule: SequenceData

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        self.task = _task_of(line)
        super().__init__(
            model_class=TASKS[self.task].model,
            datamodule_class=TASKS[self.task].data,
            save_config_callback=None,
            parser_kwargs={
                "prog": "tnqrnn",
                "usage": f"tnqrnn {line.command} --config NAME [--setting value ...]",
                "description": COMMANDS[line.command],
                "exit_on_error": False,
                "allow_abbrev": False,
            },
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=list(line.arguments),
            run=False,  # the command is known; Lightning would make a parser for each
        )

    # Settings --------------------------------------------------------------------------------------------------------

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
            told = explain(str(error), list(parser.get_defaults().keys()), withheld())
            raise InvalidInput(f"tnqrnn {self.line.command}: {told}") from error

    # Before anything is computed -------------------------------------------------------------------------------------

    def before_instantiate_classes(self) -> None:
        """Find the run's directory."""
        if self.config["trainer"]["callbacks"] is not None:
            self.config["trainer"]["callbacks"] = as_list(self.config["trainer"]["callbacks"])
        self._require_used()
        require_saved(self.config["trainer"]["callbacks"])
        with in_one_sentence(f"tnqrnn {self.line.command}: a setting cannot be written into config.yaml"):
            self.config_text = self.parser.dump(self.config, skip_unset=False)
        settings, runs = yaml.safe_load(self.config_text), Path(self.config["runs"])
        self.run = RunDirectory.of(runs, self.task, self.config["seed"], settings)
        if self.line.command == "fit":
            self._before_fit(self.config)

    def _before_fit(self, settings: Any) -> None:
        if not settings["runs"]:
            raise InvalidInput("--runs: there is no name of a folder; leave it out for the folder 'runs'.")
        require_writable(self.run.path, "--runs")
        for name in ("max_epochs", "max_steps"):
            if settings["trainer"][name] == 0:
                raise InvalidInput(f"tnqrnn fit: trainer.{name} is 0, so nothing would be trained; leave it out.")
        if settings["checkpoint"] is not None:
            raise InvalidInput("tnqrnn fit: --checkpoint is for validate and test; fit resumes its own run by itself.")

    def _require_used(self) -> None:
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
        require_effect("tnqrnn", self.config["model"], flags, "--model.")
        kept = without_leftovers(self.config["model"].as_dict(), defaults)
        for name in JUDGED:
            self.config["model"][name] = kept[name]

    def instantiate_classes(self) -> None:
        """Leave that to `build`: a run may be done already, or only be described."""

    def build(self) -> TaskCLI:
        """Build data, model, callbacks and trainer.

        Raises:
            InvalidInput: One of them refuses its settings, or one of Lightning's classes fails.
        """
        with in_one_sentence(f"tnqrnn {self.line.command}"):
            super().instantiate_classes()
        return self

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return a trainer that logs, saves and reports into the run's directory."""
        settings = self.config_init["trainer"]
        require_own_names(as_list(settings["callbacks"]), self.run.last.parent)
        if isinstance(settings["profiler"], str):
            require_choice("trainer", "profiler", settings["profiler"], PROFILERS)
        fits = self.line.command == "fit"
        shows = fits and settings["enable_progress_bar"] is not False
        owned = trainer_settings(settings["devices"], settings["num_nodes"]) | {
            "callbacks": [*as_list(settings["callbacks"]), *(self._own_callbacks(shows) if fits else ())],
            "logger": MetricsLog(self.run.metrics) if fits else False,
            "default_root_dir": str(self.run.path),
            "enable_checkpointing": fits,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": shows and sys.stdout.isatty(),
        }
        owned["plugins"] = [*owned.get("plugins", []), CheckpointFiles()]
        with in_one_sentence("trainer"):
            return super().instantiate_trainer(**owned, **kwargs)

    def _own_callbacks(self, shows_progress: bool) -> list[Callback]:
        """Return the callbacks of a training, beside the user's."""
        self.checkpoints = RunCheckpoint(self.run, self.task, self.config_text, self.config["checkpoint_every"])
        self.clock = InferenceClock()
        progress = [progress_callback(TASKS[self.task].headline)] if shows_progress else []
        return [self.checkpoints, self.clock, *progress]

    # The commands ----------------------------------------------------------------------------------------------------

    def carry_out(self) -> None:
        """Train, or evaluate a checkpoint; everything is built."""
        if self.line.command == "fit":
            parts = (self.trainer, self.model, self.datamodule, self.checkpoints, self.clock)
            Training(self.task, self.config["seed"], self.config_text, self.run, *parts).carry_out()
        else:
            self._evaluate()

    def is_done(self) -> bool:
        """Whether the run that would be trained is done; its result is said."""
        if self.line.command == "fit" and self.run.is_done():
            say(f"already done: {self.run.result}")
            result = json.loads(self.run.result.read_text())
            say(f"{listed(result['metrics'])}  ({result['checkpoint']}, {result['seconds']:.1f} s)")
            return True
        if self.line.command == "fit" and self.run.result.exists():
            say(f"{self.run.result} is not the whole result of a run, so the run goes on")
        return False

    def _evaluate(self) -> None:
        named = self.config["checkpoint"]
        path = Path(named) if named else self.run.best_or_last()
        checkpoint = read_checkpoint(path)
        require_same_weights(checkpoint, self.model, path)
        require_same_data(checkpoint, yaml.safe_load(self.config_text)["data"], path)
        convert(self.model, self.trainer)
        with taking_up(path):
            self.datamodule.load_state_dict(checkpoint[type(self.datamodule).__qualname__])
        evaluate = getattr(self.trainer, self.line.command)
        with unheard_signals("the same command begins anew"):
            [metrics] = evaluate(
                self.model, datamodule=self.datamodule, ckpt_path=path, weights_only=True, verbose=False
            )
        say(f"{listed(metrics)}  ({path})")


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


def _dotted(settings: Mapping[str, Any], known: Collection[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings by their dotted names."""
    for name, value in settings.items():
        if isinstance(value, dict) and prefix + name not in known:
            yield from _dotted(value, known, f"{prefix}{name}.")
        else:
            yield prefix + name, value
