"""Other simulators on our workload. Each module has `make(workload) -> Simulator` and imports its package there."""
