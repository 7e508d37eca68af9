"""Page's value: the mean entanglement entropy of a random pure state."""

from __future__ import annotations


def page_entropy(n_qubits: int, left: int) -> float:
    """Return the mean entropy in nats of `left` qubits of a pure state drawn uniformly from all states of `n_qubits`.

    sum_{k = n + 1}^{m n} 1 / k - (m - 1) / (2 n) with m = 2^min(left, rest) and n = 2^max(left, rest): conjectured in
    D. N. Page, Phys. Rev. Lett. 71, 1291 (1993), arXiv:gr-qc/9305007; proved in arXiv:gr-qc/9403027.
    """
    small, large = sorted((1 << left, 1 << (n_qubits - left)))
    return sum(1 / k for k in range(large + 1, small * large + 1)) - (small - 1) / (2 * large)


def page_values(n_qubits: int) -> list[float]:
    """Return Page's value in nats at every cut of qubits 0..i | i+1..n-1: n_qubits - 1 numbers."""
    return [page_entropy(n_qubits, left) for left in range(1, n_qubits)]
