"""How far back a loss reaches: the norm of its gradient in the hidden state of every timestep."""
