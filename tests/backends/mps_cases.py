"""What the fuzz test of the MPS draws: circuits, angles, masks and settings, each a function of a few small numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from hypothesis import strategies as st
from torch import Tensor

from backends import Circuit
from tests import oracle
from tests.backends.cases import Setting, random_unitary
from tnqrnn import Ansatz

PI = torch.pi
KINDS = ("chain", "ring", "brickwork", "pairs", "ghz", "bell pairs", "product")
# Values that angles are drawn from; a float32 has each of them, so that a backend and the oracle mean the same.
PALETTES: dict[str, tuple[float, ...]] = {
    "zero": (0.0,),
    "special": (0.0, PI, -PI, PI / 2, 2 * PI, 4 * PI),
    "tiny": (1e-8, -1e-8, 1e-5, 1e-3, 0.0),
    "huge": (1e3, -1e4, 1e6, 12345.678),
    "uniform": (),
    "mixed": (0.0, PI, 1e-8, 1e-4, -PI / 2, 1e3),
}
# Of "mixed", half come from the palette; the others are uniform in (-4, 4).
SHARES = {"mixed": 0.5}


@dataclass(frozen=True)
class Case:
    """One drawn run. Everything else follows from these numbers, so a failure is reported by its `repr`."""

    kind: str
    n_qubits: int
    depth: int
    seed: int
    palette: str
    shared: bool  # one vector of angles for all samples
    batch: int
    steps: int
    masked: bool  # samples stop at random timesteps, as sequences with lengths do
    max_bond: int
    cutoff: float
    single: bool  # complex64

    @property
    def dtype(self) -> torch.dtype:
        return torch.complex64 if self.single else torch.complex128

    @property
    def setting(self) -> Setting:
        return Setting("mps", {"max_bond": self.max_bond, "truncation_cutoff": self.cutoff})

    def _generator(self, purpose: int) -> torch.Generator:
        return torch.Generator().manual_seed(10 * self.seed + purpose)

    @cached_property
    def circuit(self) -> Circuit:
        names = self._generator(0)
        circuit = Circuit(self.n_qubits)
        if self.kind == "ghz":
            circuit.h(0)
            for qubit in range(self.n_qubits - 1):
                circuit.cx(qubit, qubit + 1)
        if self.kind == "bell pairs":
            for left in range(self.n_qubits // 2):
                circuit.h(left).cx(left, self.n_qubits - 1 - left)
        if self.kind in ("chain", "ring", "brickwork"):
            entangler = oracle.TWO_QUBIT[_integer(len(oracle.TWO_QUBIT), names)]
            rotations = tuple(oracle.ONE_QUBIT[_integer(len(oracle.ONE_QUBIT), names)] for _ in range(2))
            return Ansatz(self.n_qubits, min(self.depth, 3), rotations, entangler, self.kind).circuit
        two_qubit = 0.0 if self.kind == "product" else 0.6
        for _ in range(self.n_qubits * self.depth):
            self._append(circuit, names, two_qubit)
        return circuit

    def _append(self, circuit: Circuit, names: torch.Generator, two_qubit: float) -> None:
        width = 2 if float(torch.rand((), generator=names)) < two_qubit else 1
        qubits = torch.randperm(self.n_qubits, generator=names)[:width].tolist()
        known = oracle.TWO_QUBIT if width == 2 else oracle.ONE_QUBIT
        number = _integer(len(known) + 1, names)
        if number == len(known):
            circuit.unitary(random_unitary(2**width, seed=_integer(99, names)), *qubits)
        else:
            circuit.append(known[number], *qubits)

    def angles(self) -> Tensor:
        """(steps, batch, n_angles), float64; (steps, 1, n_angles) where all samples share them."""
        generator, values = self._generator(1), PALETTES[self.palette]
        shape = (self.steps, 1 if self.shared else self.batch, self.circuit.n_angles)
        uniform = 8 * torch.rand(shape, dtype=torch.float64, generator=generator) - 4
        if values:
            chosen = torch.tensor(values, dtype=torch.float64)[torch.randint(len(values), shape, generator=generator)]
            from_palette = torch.rand(shape, generator=generator) < SHARES.get(self.palette, 1.0)
            uniform = torch.where(from_palette, chosen, uniform)
        return uniform.float().double()

    def running(self) -> Tensor:
        """(steps, batch): whether a sample goes on at a timestep."""
        going = torch.rand(self.steps, self.batch, generator=self._generator(2)) < 0.7
        return going if self.masked else torch.ones_like(going)

    def weights(self) -> Tensor:
        """(steps, batch, 3 n_qubits): of every readout in the loss."""
        shape = (self.steps, self.batch, 3 * self.n_qubits)
        return torch.randn(shape, dtype=torch.float64, generator=self._generator(3))

    def string(self) -> str:
        return "".join("IXYZ"[_integer(4, self._generator(4 + qubit))] for qubit in range(self.n_qubits))


def _integer(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(below, (), generator=generator))


CASES = st.builds(
    Case,
    kind=st.sampled_from(KINDS),
    n_qubits=st.integers(2, 10),
    depth=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    palette=st.sampled_from(sorted(PALETTES)),
    shared=st.booleans(),
    batch=st.integers(1, 9),
    steps=st.integers(1, 4),
    masked=st.booleans(),
    max_bond=st.integers(1, 40),
    cutoff=st.sampled_from([0.0, 0.0, 1e-14, 1e-8, 1e-3, 0.3]),
    single=st.booleans(),
)
