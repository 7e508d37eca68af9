"""Tasks: one folder per head and its data; what they share in task.py, text_task.py and split_metrics.py."""
