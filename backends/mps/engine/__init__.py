"""A timestep of the MPS by operations of torch, on any device; the check on the kernel."""
