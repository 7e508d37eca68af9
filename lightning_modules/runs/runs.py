"""Where other programs looked for runs before `cli.run_command` and `tasks.trained_run`."""

from lightning_modules.cli.run_command import DescribedRun, PreparedRun, describe_run, prepare_run, run_command
from lightning_modules.tasks.trained_run import TrainedRun

__all__ = ["DescribedRun", "PreparedRun", "TrainedRun", "describe_run", "prepare_run", "run_command"]
