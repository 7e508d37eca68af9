"""The state of the MPS backend."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from backends.base import State
from backends.mps.engine.moves import shift_centre
from backends.mps.layout import Layout
from backends.mps.ledger import Ledger
from backends.planning import Labels


@dataclass(frozen=True, eq=False, repr=False)
class MPSState(State):
    """Site tensors in canonical form around `centre`; see `mps`.

    `numbers` (batch, total) holds them one after the other; `sites` are views of it, each (batch, left bond, 2**width,
    right bond).
    """

    layout: Layout
    numbers: Tensor
    centre: int
    ledger: Ledger
    readouts: Tensor | None = None

    @classmethod
    def of_sites(cls, layout: Layout, sites: Sequence[Tensor], centre: int, ledger: Ledger) -> Self:
        """Return the state with these site tensors."""
        return cls(layout, torch.cat([site.flatten(1) for site in sites], 1), centre, ledger)

    @property
    def sites(self) -> tuple[Tensor, ...]:
        """The site tensors."""
        shapes = self.layout.shapes()
        parts = self.numbers.split([left * width * right for left, width, right in shapes], 1)
        return tuple(part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True))

    @property
    def n_qubits(self) -> int:  # type: ignore[override]
        """Number of qubits."""
        return self.layout.n_qubits

    def _facts(self) -> list[str]:
        lost = float(self.truncation_error.detach().max())
        return [*super()._facts(), f"max_bond={self.layout.max_bond}", f"truncation_error<={lost:.1e}"]

    @property
    def structure(self) -> Hashable:
        return self.layout

    def where(self, mask: Tensor, other: Self) -> Self:
        if isinstance(other, MPSState) and other.structure == self.structure and other.centre != self.centre:
            sites = list(other.sites)
            centre = shift_centre(sites, other.centre, self.centre)
            other = self.of_sites(other.layout, sites, centre, other.ledger).measured(other.readouts)
        return super().where(mask, other)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.numbers, self.ledger.weight, self.ledger.angle, self.ledger.binds

    def _replace(self, tensors: Sequence[Tensor]) -> Self:
        numbers, *ledger = tensors
        return type(self)(self.layout, numbers, self.centre, Ledger(*ledger))

    @property
    def truncation_error(self) -> Tensor:
        return self.ledger.weight

    @property
    def infidelity_bound(self) -> Tensor:
        return self.ledger.infidelity_bound

    @property
    def max_bond_binds(self) -> Tensor:
        return self.ledger.binds

    def network(self) -> list[tuple[Tensor, Labels]]:
        pieces = []
        for index, (site, block) in enumerate(zip(self.sites, self.layout.blocks, strict=True)):
            batch, left, _, right = site.shape
            labels = ("batch", f"m{index}", *[f"q{qubit}" for qubit in block], f"m{index + 1}")
            pieces.append((site.reshape(batch, left, *[2] * len(block), right), labels))
        return pieces
