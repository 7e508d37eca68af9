"""Exact against MPS with one set of weights: metric, errors with their bounds, gradients, entropies, cost."""
