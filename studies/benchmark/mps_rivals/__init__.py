"""MPS simulators on our chain. Each module has `make(workload) -> Contender` and imports its package there."""
