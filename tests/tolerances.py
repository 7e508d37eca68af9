"""How far from the oracle a result may be, and why. Defined once; a test that needs more has found something."""

from __future__ import annotations

import torch

EPS = {torch.complex64: 2.0**-23, torch.complex128: 2.0**-52}

# In single precision, Schmidt values below 3e-5 of the largest are noise to the split of the MPS: what a gradient owes
# to them may be lost. All else is exact to rounding, and so is double precision wherever the suite looks: sums over
# timesteps and readouts add up a few thousand eps. The statevector must do as well.
GRADIENT = {torch.complex64: 3e-5, torch.complex128: 1e-12}
# Where Schmidt values of noise are kept beside discarded ones: the kernel of the MPS decomposes in the state's own
# precision, and single precision mixes directions whose squared weight is below 1e-7, 3e-4 of the largest value.
GRADIENT_AMID_NOISE = {torch.complex64: 3e-4, torch.complex128: 1e-9}

# Central differences with step h in double precision: h^2 from the third derivative, 1e-16 / h from rounding. With
# h = 1e-4 both are below 1e-7 of a derivative of order one.
DIFFERENCE_STEP = 1e-4
DIFFERENCE = 1e-6


def state_tolerance(dtype: torch.dtype, n_gates: int) -> float:
    """Distance of normalised amplitudes: a gate, with its split, adds a few eps, and unitaries do not amplify it."""
    return 4 * EPS[dtype] * max(n_gates, 4)


def readout_tolerance(dtype: torch.dtype, n_gates: int) -> float:
    """|<O>_a - <O>_b| <= 2 |a - b| for an observable with eigenvalues +-1."""
    return 2 * state_tolerance(dtype, n_gates)


def weight_tolerance(dtype: torch.dtype, n_gates: int) -> float:
    """Of squares of amplitudes, as fidelities are: 1 - F <= |a - b|^2, but F is rounded like any sum of squares."""
    return readout_tolerance(dtype, n_gates)


def discarded_tolerance(dtype: torch.dtype, n_gates: int) -> float:
    """Weight discarded where the rank fits: Schmidt values of rounding size, squared, once per truncation."""
    return (4 * EPS[dtype]) ** 2 * 16 * max(n_gates, 4)
