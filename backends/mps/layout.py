"""Which qubits share a site tensor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The blocks of qubits, one per site, and the size of the bonds between them (see the drawing in `mps`)."""

    n_qubits: int
    blocks: tuple[tuple[int, ...], ...]
    max_bond: int | None

    @classmethod
    def of(cls, n_qubits: int, max_bond: int | None) -> Layout:
        """Return the layout in which only bonds that `max_bond` can bind are bonds at all."""
        qubits = tuple(range(n_qubits))
        if max_bond is None or max_bond >= 2 ** (n_qubits // 2):
            return cls(n_qubits, (qubits,), max_bond)
        outer = max_bond.bit_length()  # floor(log2(max_bond)) + 1
        inner = [(qubit,) for qubit in qubits[outer : n_qubits - outer]]
        return cls(n_qubits, (qubits[:outer], *inner, qubits[n_qubits - outer :]), max_bond)

    @property
    def n_sites(self) -> int:
        """Number of site tensors."""
        return len(self.blocks)

    def shapes(self) -> list[tuple[int, int, int]]:
        """(left bond, 2**width, right bond) of every site."""
        bond, last = self.max_bond or 1, self.n_sites - 1
        return [
            (1 if site == 0 else bond, 2 ** len(block), 1 if site == last else bond)
            for site, block in enumerate(self.blocks)
        ]

    def find(self, qubit: int) -> tuple[int, int]:
        """Return the site of a qubit and its position within the block."""
        for site, block in enumerate(self.blocks):
            if qubit <= block[-1]:
                return site, qubit - block[0]
        raise AssertionError(f"qubit {qubit} outside the layout")
