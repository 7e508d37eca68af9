"""A timestep of the MPS as one compiled call, forward and backward, for eight samples at once."""
