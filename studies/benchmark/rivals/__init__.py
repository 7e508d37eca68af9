"""The simulators of the benchmark. Each module has `make(workload) -> Simulator` and imports its package there."""
