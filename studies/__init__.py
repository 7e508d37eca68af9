"""Questions and their answers: comparisons, scaling, noise, benchmarks, reports."""
