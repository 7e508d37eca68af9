"""What the contract suite runs over: backend settings, circuits, angles, and one run of backend and oracle each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from backends import Backend, Circuit, State, create_backend
from tests import oracle
from tests.tolerances import DIFFERENCE_STEP
from tnqrnn import Ansatz

N_QUBITS = 8
DTYPES = (torch.complex64, torch.complex128)
TOPOLOGIES = ("chain", "ring", "brickwork")


@dataclass(frozen=True)
class Setting:
    """A backend with its options. A new backend is one more line in the tuples below."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.name, *[f"{value}" for value in self.options.values()]])

    def create(self, circuit: Circuit, dtype: torch.dtype = torch.complex128) -> Backend[Any]:
        return create_backend(self.name, circuit, dtype=dtype, **self.options)


# Nothing is ever truncated.
COMPLETE = (
    Setting("statevector", {"engine": "kernel"}),
    Setting("statevector", {"engine": "contraction"}),
    Setting("statevector", {"gradient": "reversible"}),
    Setting("mps", {"max_bond": None}),
    Setting("mps", {"max_bond": 16}),
)
# Site tensors of 3, 1, 1 and 3 qubits, whose bonds hold STEPS_THAT_FIT exactly: rank 2 per layer of a chain or of
# brickwork; a ring's closing gate crosses every cut once more.
FITTING = Setting("mps", {"max_bond": 4})
STEPS_THAT_FIT = {"chain": 2, "ring": 1, "brickwork": 2}
# The same in torch operations. Only over several sites: a single one is handed to the statevector, whatever the engine.
FITTING_IN_TORCH = Setting("mps", {"max_bond": 4, "engine": "contraction"})
SEVERAL_SITES = (FITTING, FITTING_IN_TORCH)
EXACT = (*COMPLETE, *SEVERAL_SITES)
# Something is lost at (nearly) every step. Six sites, four, two.
TRUNCATING = (
    Setting("mps", {"max_bond": 2}),
    Setting("mps", {"max_bond": 5}),
    Setting("mps", {"max_bond": 9}),
    Setting("mps", {"max_bond": 5, "engine": "contraction"}),
)


def ansatz_circuit(topology: str, entangler: str = "crx", n_qubits: int = N_QUBITS, n_layers: int = 1) -> Circuit:
    return Ansatz(n_qubits, n_layers, ("ry", "rz"), entangler, topology).circuit


def random_circuit(n_qubits: int, n_gates: int, seed: int) -> Circuit:
    """Gates of every kind on random qubits, a fixed unitary now and then."""
    generator = torch.Generator().manual_seed(seed)
    names = oracle.ONE_QUBIT + (oracle.TWO_QUBIT if n_qubits > 1 else ())
    circuit = Circuit(n_qubits)
    for _ in range(n_gates):
        name = names[int(torch.randint(len(names), (), generator=generator))]
        width = 2 if name in oracle.TWO_QUBIT else 1
        circuit.append(name, *torch.randperm(n_qubits, generator=generator)[:width].tolist())
    return circuit


def random_unitary(size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.complex128, generator=generator))[0]


def random_angles(circuit: Circuit, steps: int, batch: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    """(steps, batch, n_angles), uniform in [-scale, scale]; float64 with values that float32 has too."""
    generator = torch.Generator().manual_seed(1000 + seed)
    uniform = torch.rand(steps, batch, circuit.n_angles, dtype=torch.float64, generator=generator)
    return (scale * (2 * uniform - 1)).float().double()


def random_states(n_qubits: int, batch: int, seed: int = 0) -> Tensor:
    """Normalised random amplitudes (batch, 2**n), complex128."""
    generator = torch.Generator().manual_seed(2000 + seed)
    amplitudes = torch.randn(batch, 2**n_qubits, dtype=torch.complex128, generator=generator)
    return amplitudes / torch.linalg.vector_norm(amplitudes, dim=1, keepdim=True)


def gate_tuples(circuit: Circuit) -> list[oracle.GateTuple]:
    return [(g.name, g.qubits) if g.matrix is None else (g.name, g.qubits, g.matrix) for g in circuit.gates]


def n_gates(circuit: Circuit, steps: int = 1) -> int:
    return steps * len(circuit)


def run(backend: Backend[Any], angles: Tensor, state: State | None = None) -> tuple[Any, Tensor]:
    """All timesteps of angles (steps, batch, n_angles): the final state and the readouts (steps, batch, 3n)."""
    state = backend.initial_state(angles.shape[1]) if state is None else state
    readouts = []
    for step in angles.to(backend.real_dtype):
        state, z = backend.step(state, step)
        readouts.append(z)
    return state, torch.stack(readouts)


def run_oracle(circuit: Circuit, angles: Tensor, psi: Tensor | None = None) -> tuple[Tensor, Tensor]:
    psi = oracle.zero_state(circuit.n_qubits, angles.shape[1]) if psi is None else psi
    readouts = []
    for step in angles:
        psi = oracle.evolve(gate_tuples(circuit), psi, step)
        readouts.append(oracle.readouts(psi))
    return psi, torch.stack(readouts)


@dataclass(frozen=True)
class Loss:
    """Random weights on every readout of every timestep, and a fidelity of the outgoing state with a fixed one.

    The fidelity with a random state is of the order 2**-n; it is scaled up to weigh as much as the readouts.
    """

    weights: Tensor
    target: Tensor
    state_term: float = 1.0

    @classmethod
    def random(cls, n_qubits: int, steps: int, batch: int, state_term: float = 1.0) -> Loss:
        generator = torch.Generator().manual_seed(3000)
        weights = torch.randn(steps, batch, 3 * n_qubits, dtype=torch.float64, generator=generator)
        return cls(weights, random_states(n_qubits, batch, seed=77), state_term * 2**n_qubits)

    def __call__(self, amplitudes: Tensor, readouts: Tensor) -> Tensor:
        overlap = oracle.fidelity(amplitudes.to(torch.complex128), self.target)
        return (self.weights * readouts.double()).sum() + self.state_term * overlap.sum()


def gradient(loss: Tensor, *leaves: Tensor) -> Tensor:
    """All gradients as one float64 vector."""
    pieces = torch.autograd.grad(loss, leaves)
    return torch.cat([torch.view_as_real(p).flatten() if p.is_complex() else p.flatten() for p in pieces]).double()


def relative_error(found: Tensor, expected: Tensor) -> float:
    """|found - expected| / |expected|, where an expected value below 1 counts as 1: the losses are of order one."""
    return float((found - expected).norm() / expected.norm().clamp(min=1.0))


def directional_error(function: Any, point: Tensor, found: Tensor, directions: int = 3) -> float:
    """Worst relative error of a gradient along random directions against central differences of `function`."""
    generator = torch.Generator().manual_seed(4000)
    worst = 0.0
    for _ in range(directions):
        direction = torch.randn(point.shape, dtype=point.dtype, generator=generator)
        with torch.no_grad():
            step = DIFFERENCE_STEP * direction / direction.norm()
            # Two central differences of steps h and 2h cancel the third derivative.
            near, far = (function(point + k * step) - function(point - k * step) for k in (1, 2))
        expected = (8 * near - far) / (12 * step.norm())
        value = (found * direction).sum() / direction.norm()
        worst = max(worst, float((value - expected).abs() / expected.abs().clamp(min=float(found.norm()) / 10)))
    return worst


@dataclass(frozen=True)
class Expected:
    """What the oracle says: final amplitudes, readouts of every timestep, gradient of `Loss.random` in the angles."""

    amplitudes: Tensor
    readouts: Tensor
    gradient: Tensor


_EXPECTED: dict[Any, Expected] = {}


def expect(circuit: Circuit, angles: Tensor, state_term: float = 1.0) -> Expected:
    """The oracle's answer, kept: it is the same for every backend and dtype that is compared with it."""
    matrices = [gate.matrix.numpy().tobytes() for gate in circuit.gates if gate.matrix is not None]
    gates = [(gate.name, gate.qubits) for gate in circuit.gates]
    key = (
        circuit.n_qubits,
        str(gates),
        *matrices,
        angles.shape,
        angles.detach().double().numpy().tobytes(),
        state_term,
    )
    if key not in _EXPECTED:
        leaf = angles.detach().double().clone().requires_grad_()
        psi, z = run_oracle(circuit, leaf)
        loss = Loss.random(circuit.n_qubits, angles.shape[0], angles.shape[1], state_term)
        _EXPECTED[key] = Expected(psi.detach(), z.detach(), gradient(loss(psi, z), leaf))
    return _EXPECTED[key]


def largest(values: Tensor | Sequence[float]) -> float:
    """The largest absolute value, as a number."""
    return float(torch.as_tensor(values).detach().abs().max())
