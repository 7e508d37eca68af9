"""The kernel's decomposition where its numbers leave the range of their precision."""

from __future__ import annotations

import pytest
import torch

from backends import Circuit, InvalidInput, create_backend
from backends.mps import MPSState


@pytest.mark.parametrize(("dtype", "size"), [(torch.complex64, 1e25), (torch.complex128, 1e200)])
def test_singular_values_that_do_not_converge_are_refused(dtype: torch.dtype, size: float) -> None:
    """Squares of 1e25 are beyond single precision (3e38), those of 1e200 beyond double precision (2e308)."""
    circuit = Circuit(4).ry(0).crx(0, 1).crx(1, 2).crx(2, 3)
    backend = create_backend("mps", circuit, max_bond=2, dtype=dtype)
    state = backend.initial_state(3)
    assert isinstance(state, MPSState)
    numbers = state.numbers.clone()
    numbers[1] *= size
    angles = torch.ones(3, circuit.n_angles, dtype=numbers.real.dtype)
    with pytest.raises(InvalidInput, match=r"do not converge; the largest .* 1\.0e\+\d+ \(in sample 1\)"):
        backend.step(state._replace([numbers, *state.tensors[1:]]), angles)
    _, z = backend.step(state, angles)  # the kernel goes on afterwards
    assert bool(torch.isfinite(z).all())
