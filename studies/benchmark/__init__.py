"""Time, memory and arithmetic of one training step, beside other simulators on the same workload."""
