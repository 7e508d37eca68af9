"""Moves on a list of site tensors: shifting the centre, truncating, and gates between blocks.

Functions here change the list they are given; the lists belong to one call of `MPSBackend.step`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backends.mps.engine.split import move_left, move_right, split_left, split_right
from backends.mps.ledger import Ledger, Truncation


def shift_centre(sites: list[Tensor], centre: int, target: int) -> int:
    """Move the centre site by site to `target` and return it. The state does not change."""
    while centre < target:
        _move(sites, centre, rightwards=True)
        centre += 1
    while centre > target:
        _move(sites, centre, rightwards=False)
        centre -= 1
    return centre


def _move(sites: list[Tensor], centre: int, *, rightwards: bool) -> None:
    left, right = (centre, centre + 1) if rightwards else (centre - 1, centre)
    rows, columns = sites[left].flatten(1, 2), sites[right].flatten(2)
    new_rows, new_columns = (move_right if rightwards else move_left)(rows, columns)
    sites[left] = new_rows.reshape(*sites[left].shape[:3], -1)
    sites[right] = new_columns.reshape(sites[right].shape[0], -1, *sites[right].shape[2:])


def split_pair(
    sites: list[Tensor],
    first: int,
    theta: Tensor,  # (batch, left bond, 2**width of first, 2**width of second, right bond)
    truncation: Truncation,
    ledger: Ledger,
    *,
    centre_right: bool,
) -> Ledger:
    """Split theta into the sites `first` and `first + 1`, truncating their bond; the centre ends up as asked."""
    matrix = theta.flatten(3).flatten(1, 2)
    rows, columns, discarded = (split_right if centre_right else split_left)(matrix, truncation)
    rows, columns = _normalised(rows, columns, centre_right)
    sites[first] = rows.reshape(*theta.shape[:3], -1)
    sites[first + 1] = columns.reshape(theta.shape[0], -1, *theta.shape[3:])
    return ledger.add(discarded, truncation)


def _normalised(rows: Tensor, columns: Tensor, centre_right: bool) -> tuple[Tensor, Tensor]:
    """Divide the factor that carries the centre by its norm, which is the norm of the state."""
    centre = columns if centre_right else rows
    centre = centre / torch.linalg.vector_norm(centre, dim=(1, 2), keepdim=True)
    return (rows, centre) if centre_right else (centre, columns)


def truncate_sweep(
    sites: list[Tensor], first: int, last: int, truncation: Truncation, ledger: Ledger, *, rightwards: bool
) -> Ledger:
    """Truncate every bond between `first` and `last`, the centre travelling from one end to the other."""
    for left in range(first, last) if rightwards else range(last - 1, first - 1, -1):
        site = sites[left] if rightwards else sites[left + 1]
        matrix = site.flatten(1, 2) if rightwards else site.flatten(2)
        if min(matrix.shape[1:]) <= truncation.max_bond:  # this bond shrinks to its rank by moving the centre alone
            _move(sites, left if rightwards else left + 1, rightwards=rightwards)
            continue
        split = split_right if rightwards else split_left
        rows, columns, discarded = split(matrix, truncation)
        rows, columns = _normalised(rows, columns, rightwards)
        ledger = ledger.add(discarded, truncation)
        if rightwards:
            sites[left] = rows.reshape(*site.shape[:3], -1)
            sites[left + 1] = _absorb_left(columns, sites[left + 1])
        else:
            sites[left + 1] = columns.reshape(site.shape[0], -1, *site.shape[2:])
            sites[left] = sites[left] @ rows[:, None]
    return ledger


def _absorb_left(matrix: Tensor, site: Tensor) -> Tensor:
    """matrix (batch, m, left) times site (batch, left, 2**width, right)."""
    return (matrix @ site.flatten(2)).reshape(site.shape[0], -1, *site.shape[2:])


def insert_factors(
    sites: list[Tensor],
    first: tuple[int, int],
    last: tuple[int, int],
    factors: tuple[Tensor, Tensor],  # each ([batch,] k, 2, 2), for the qubit at `first` and at `last`
) -> None:
    """Apply sum_k left_k (x) right_k on two distant qubits, given as (site, position): bonds between grow k-fold.

    The sites from `first` to `last` are no longer isometries afterwards.
    """
    (first_site, first_position), (last_site, last_position) = first, last
    rank = factors[0].shape[-3]
    opened = _apply_factors(sites[first_site], factors[0], first_position)  # (batch, k, left, width, right)
    batch, _, left, width, right = opened.shape
    sites[first_site] = opened.permute(0, 2, 3, 1, 4).reshape(batch, left, width, rank * right)
    for site in range(first_site + 1, last_site):
        batch, left, width, right = sites[site].shape
        identity = torch.eye(rank, dtype=sites[site].dtype, device=sites[site].device)
        widened = identity[:, None, None, :, None] * sites[site][:, None, :, :, None, :]
        sites[site] = widened.reshape(batch, rank * left, width, rank * right)
    closed = _apply_factors(sites[last_site], factors[1], last_position)
    sites[last_site] = closed.flatten(1, 2)


def _apply_factors(
    site: Tensor,  # (batch, left, 2**width, right)
    factors: Tensor,  # ([batch,] k, 2, 2)
    position: int,
) -> Tensor:  # (batch, k, left, 2**width, right)
    """Apply each of k matrices to one qubit of a site."""
    batch, left, size, right = site.shape
    split = site.reshape(batch, 1, left * 2**position, 2, -1)
    spread = factors.unsqueeze(-4).unsqueeze(-3) if factors.dim() == 3 else factors.unsqueeze(-3)
    return (spread @ split).reshape(batch, -1, left, size, right)
