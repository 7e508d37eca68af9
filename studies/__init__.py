"""Questions and their answers: comparisons, scaling, noise, benchmarks, reports."""

from tnqrnn.extras import require_extra

require_extra("studies", "studies")
