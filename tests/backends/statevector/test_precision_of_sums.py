"""The kernel's sums are in double precision; an array of other numbers is refused before anything is written."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core.errors import TypingError

from backends.kernels.emitting import Parts
from backends.kernels.vectors import LANES
from backends.statevector.readouts import weigh


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_readouts_of_rows_go_into_double_precision_alone(dtype: type) -> None:
    """Four rows of ones: every qubit's 0 and 1 weigh the same, and the squared norm is 4."""
    psi = Parts(np.ones((4, LANES), np.float32), np.zeros((4, LANES), np.float32))
    sums = np.zeros((3, LANES), dtype)
    if dtype is np.float32:
        with pytest.raises(TypingError, match="an array of float32 where float64 is read or written"):
            weigh(0, 4, sums, psi, 2)
    else:
        weigh(0, 4, sums, psi, 2)
        assert (sums[:2] == 0).all()
        assert (sums[2] == 4).all()
