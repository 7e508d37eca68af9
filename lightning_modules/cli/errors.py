"""Where other programs looked for the errors of runs before `runs.errors`."""

from lightning_modules.runs.errors import RunDone, TrainingStopped, storage_failed

__all__ = ["RunDone", "TrainingStopped", "storage_failed"]
