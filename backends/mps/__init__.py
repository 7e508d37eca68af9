r"""The truncated backend: a batched matrix product state (MPS).

Conventions, drawn once. The qubits are cut into consecutive blocks, one site tensor per block::

        qubits 0..a      qubit a+1         qubits n-1-a..n-1
            |                |                  |
          +----+   chi    +----+   chi       +----+
       1 -| T0 |----------| T1 |---- ... ----| Tm |- 1
          +----+          +----+             +----+

    site tensor: (batch, left bond, 2**width, right bond); the first qubit of a block is the most significant bit.

With `a = floor(log2(chi))` the outer blocks hold a + 1 qubits each: a bond between the outermost a qubits could never
exceed chi, so nothing is ever truncated there and no tensor is spent on them. When `chi >= 2**(n // 2)` a single block
remains, and the MPS is exact. All bonds between blocks have size chi, always (shapes do not depend on data).

The state is normalised and in mixed canonical form: sites left of `centre` are isometries from the left
(sum over left bond and qubits of conj(T) T = 1), sites right of it isometries from the right. The centre is
an invariant of the state and travels with it across timesteps; a bond is truncated only with the centre at one end.

Gradients. The loss depends on the state only, not on the gauge, so every isometry made by a decomposition may be chosen
to move orthogonally to itself (horizontal gauge). `split.py` derives the two backward rules that follow.

Two engines carry out a timestep, and check each other in the tests: `kernel/`, compiled for the CPU, for eight samples
at once, and `engine/`, torch operations on any device.
"""

from backends.mps.backend import MPSBackend
from backends.mps.state import MPSState

__all__ = ["MPSBackend", "MPSState"]
