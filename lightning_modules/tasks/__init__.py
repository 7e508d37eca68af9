"""Tasks: one folder per head and its data; what they share in task.py, text_task.py and split_metrics.py."""

from tnqrnn.extras import require_extra

require_extra("train", "lightning_modules")
