"""Every task with every cell at equal parameter counts: runs that can be resumed, one table and one figure per task."""
