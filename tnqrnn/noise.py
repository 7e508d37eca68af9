"""Readouts from a finite number of shots, and depolarised ones, of a register that depolarises or of single qubits.

A readout is the expectation z of a Pauli. Hardware estimates it from S = `shots` repetitions of the circuit up to this
timestep, each ending in a measurement of outcome +1, with probability (1 + z) / 2, or -1. The estimate is the mean of
the outcomes: its expectation is z, its variance (1 - z^2) / S. Two ways to draw it:

    multinomial    2 k / S - 1 with k from Binomial(S, (1 + z) / 2), the exact law of one Pauli's estimate
    gaussian       z + sqrt((1 - z^2) / S) g with g normal: the same mean and variance, not clipped to [-1, 1], because
                   clipping would move the mean

Every Pauli of every qubit is drawn by itself. Left out are the correlations between qubits that are measured in the
same shots (all X together, say): with the covariance <P_i P_j> - <P_i><P_j> over S between two readouts of one basis.

Two kinds of depolarising; the shots then see what is left.

`state_depolarising` p: after every timestep the whole register is replaced by the maximally mixed state with
probability p. This channel, rho -> (1 - p) rho + p 1/2^n, commutes with every unitary, so whatever angles the readouts
led to, the state after t timesteps from |0...0> is

    rho_t = (1 - p)^t |psi_t><psi_t| + (1 - (1 - p)^t) 1/2^n

with psi_t the pure state that the same angles make without noise, because U 1 U^dagger = 1. Paulis are traceless, so
the readouts of rho_t are exactly (1 - p)^t <psi_t| P |psi_t>: psi_t is simulated as before, and nothing is
approximated. This is white noise on the whole register; noise on single gates or qubits (dephasing, relaxation, local
depolarising) does not commute with the circuit and is not this.

`depolarising` p: every qubit is depolarised once, just before it is read; z shrinks to (1 - p) z at every timestep
alike, because the state that goes on is untouched: an error of the measurement, not of the circuit.

The gradient is that of the expectation of what is left, at the noisy values that were fed back (straight through): the
estimate's deviation counts as a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from backends.errors import InvalidInput, require_choice, require_number, require_positive_int

KINDS = ("gaussian", "multinomial")
WHEN = {"evaluation": (False,), "training": (True,), "both": (False, True)}


@dataclass(frozen=True)
class ReadoutNoise:
    """What happens to readouts between the state and whoever reads it.

    Arguments: `shots` per Pauli (None: the exact expectation); `kind` "gaussian" or "multinomial"; `depolarising`, the
    probability in [0, 1) of an error of every qubit's measurement; `state_depolarising`, the probability in [0, 1) with
    which a timestep leaves the maximally mixed state; `acts_in` "evaluation", "training" or "both"; `seed` of the draws
    in evaluation. Training draws from torch's global generator. Raises InvalidInput on values that cannot work.
    """

    shots: int | None = None
    kind: str = "gaussian"
    depolarising: float = 0.0
    acts_in: str = "both"
    seed: int = 0
    state_depolarising: float = 0.0

    def __post_init__(self) -> None:
        if self.shots is not None:
            object.__setattr__(self, "shots", require_positive_int("noise", "shots", self.shots))
        require_choice("noise", "shot_noise", self.kind, KINDS)
        require_number("noise", "depolarising", self.depolarising, 0, 1)
        require_number("noise", "state_depolarising", self.state_depolarising, 0, 1)
        require_choice("noise", "noise_in", self.acts_in, WHEN)
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < 2**63:
            raise InvalidInput(f"noise: noise_seed must be an integer from 0 to 2**63 - 1, got {self.seed!r}.")

    @property
    def changes_readouts(self) -> bool:
        """Whether any readout is changed at all."""
        return self.shots is not None or self.depolarising > 0 or self.state_depolarising > 0

    def of_call(self, x: Tensor, training: bool) -> Measurement | None:
        """Return what measures the readouts of one call on sequences `x`; None where readouts stay exact.

        In evaluation the draws are a function of `seed` and the entries of `x`: the same batch is measured in the same
        way whenever and after whatever it is evaluated, and other batches independently of it.
        """
        if not self.changes_readouts or training not in WHEN[self.acts_in]:
            return None
        generator = None if training else torch.Generator(x.device).manual_seed(self._seed_of(x))
        return Measurement(self, generator)

    def require_start(self, who: str) -> None:
        """Refuse to go on from a state: how many timesteps have depolarised it is not known."""
        if self.state_depolarising > 0:
            raise InvalidInput(
                f"{who}: state_depolarising counts the timesteps from |0...0>, so a state cannot be continued with it; "
                "give the whole sequence at once, or use depolarising."
            )

    def measure(self, z: Tensor, timesteps: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """Return estimates of the readouts z, any shape, of a state `timesteps` after |0...0>.

        `generator` None draws from torch's global one.
        """
        z = (1 - self.depolarising) * (1 - self.state_depolarising) ** timesteps * z
        if self.shots is None:
            return z
        return z + self._deviation(z.detach().clamp(-1, 1), self.shots, generator)

    def _deviation(self, z: Tensor, shots: int, generator: torch.Generator | None) -> Tensor:
        if self.kind == "gaussian":
            normal = torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)
            return ((1 - z.square()) / shots).sqrt() * normal
        ups = torch.binomial(torch.full_like(z, shots), (1 + z) / 2, generator=generator)
        return 2 * ups / shots - 1 - z

    def _seed_of(self, x: Tensor) -> int:
        entries = x.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
        digest = blake2b(entries, digest_size=8, key=self.seed.to_bytes(8, "little"))
        return int.from_bytes(digest.digest(), "little") >> 1  # torch takes 63 bits


@dataclass(frozen=True)
class Measurement:
    """What measures the readouts of one call, in the order in which it is called."""

    noise: ReadoutNoise
    generator: torch.Generator | None  # None: torch's global one

    def __call__(self, z: Tensor, timesteps: int = 1) -> Tensor:
        """Return estimates of the readouts z, any shape, of a pure state `timesteps` after |0...0>."""
        return self.noise.measure(z, timesteps, self.generator)

    def position(self) -> Tensor | None:
        """Return where the draws stand; None with torch's global generator, which `segments` sets back itself."""
        return None if self.generator is None else self.generator.get_state()

    def go_back_to(self, position: Tensor | None) -> None:
        """Draw again what was drawn from `position` on."""
        if self.generator is not None and position is not None:
            self.generator.set_state(position)
