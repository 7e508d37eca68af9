"""Tasks: one folder per head and its data; what they share in task.py, text.py and split_metrics.py."""
