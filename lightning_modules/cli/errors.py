"""Where other programs looked for the errors of runs before `runs.errors`."""

from lightning_modules.runs.errors import TrainingStopped, storage_failed

__all__ = ["TrainingStopped", "storage_failed"]
