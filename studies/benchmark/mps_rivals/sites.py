"""Batched gates and readouts for simulators that hand out their site tensors (batch, left bond, 2, right bond)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def one_qubit(kind: str, angle: Tensor) -> Tensor:
    """RX, RY or RZ of angles (batch,) in radians: (batch, 2, 2) in complex64."""
    cos, sin = torch.cos(angle / 2), torch.sin(angle / 2)
    zero = torch.zeros_like(cos)
    entries = {
        "rx": [(cos, zero), (zero, -sin), (zero, -sin), (cos, zero)],
        "ry": [(cos, zero), (-sin, zero), (sin, zero), (cos, zero)],
        "rz": [(cos, -sin), (zero, zero), (zero, zero), (cos, sin)],
    }[kind]
    return torch.stack([torch.complex(*entry) for entry in entries], -1).reshape(-1, 2, 2)


def controlled_rx(angle: Tensor) -> Tensor:
    """CRX of angles (batch,), control first: (batch, 4, 4) in complex64."""
    identity = torch.eye(2, dtype=torch.complex64).expand(len(angle), 2, 2)
    off = torch.nn.functional.pad(identity, (0, 2, 0, 2))
    return off + torch.nn.functional.pad(one_qubit("rx", angle), (2, 0, 2, 0))


def readouts(sites: Sequence[Tensor]) -> Tensor:
    """X, Y and Z of every qubit of the normalised state, (batch, 3n), whatever the gauge of the sites."""
    batch = sites[0].shape[0]
    one = torch.ones(batch, 1, 1, dtype=sites[0].dtype)
    rights = [one]  # environments of the right bonds, (batch, ket, bra)
    for site in reversed(sites[1:]):
        rights.append((site @ rights[-1][:, None]).flatten(2) @ site.flatten(2).mH)
    left, columns = one, list[list[Tensor]]([[], [], []])
    norm = None
    for site, right in zip(sites, reversed(rights), strict=True):
        opened = (left.mT @ site.flatten(2)).reshape(batch, -1, *site.shape[2:])  # (batch, bra, 2, ket)
        closed = opened @ right[:, None]  # (batch, bra, 2, bra)
        density = closed.transpose(1, 2).flatten(2) @ site.transpose(1, 2).flatten(2).mH
        norm = (density[:, 0, 0] + density[:, 1, 1]).real
        flip = density[:, 1, 0]
        values = (2 * flip.real, 2 * flip.imag, (density[:, 0, 0] - density[:, 1, 1]).real)
        for column, value in zip(columns, values, strict=True):
            column.append(value / norm)
        left = opened.flatten(1, 2).mT @ site.flatten(1, 2).conj()  # (batch, ket, bra)
    return torch.stack([value for column in columns for value in column], 1)
