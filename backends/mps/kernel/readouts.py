"""All one-qubit readouts of the states of a tile, forward and backward.

Sites are isometries towards the centre, so one sweep outwards from it yields the environment E of every site, and with
it the density matrix of each of its qubits. The backward sweeps inwards: with O the sum of the qubits' Paulis, weighted
by the cotangents of the readouts, and H the same of all sites farther out as a matrix on the bond between,

    phi = (O + H) T,     the cotangent of a site T is 2 phi E,     the next H is T^h phi.

The factor 2 is there because a readout is quadratic in T. Every qubit is normalised by the trace of its own density
matrix: a site that the centre does not visit takes up the roundings of its rotations, always the same ones where the
angles are, and its isometry's scale would drift away with the timesteps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backends.kernels.algebra import (
    ADDS,
    SETS,
    add_scaled,
    clear,
    copy,
    multiply,
    multiply_adjoint_a,
    multiply_adjoint_b,
)
from backends.kernels.compiling import strict_inner
from backends.kernels.turns import add_paulis, neighbours, pair_sums
from backends.kernels.vectors import LANES
from backends.kernels.views import matrix, transposed, vector


class ReadoutSpace(NamedTuple):
    """Arrays to work on: the environment of every site, two site tensors, H from either side, four sums per qubit."""

    environments: Any
    ket: Any
    phi: Any
    bonds: Any
    sums: Any


@strict_inner
def readout_space(sites, dtype):
    """Arrays for states of these sites."""
    bond, size, qubits = 1, 1, 0
    for site in sites:
        bond = max(bond, site.left)
        size = max(size, site.left * site.width * site.right)
        qubits += _qubits_of(site)
    return ReadoutSpace(
        np.empty((sites.shape[0], 2 * bond * bond, LANES), dtype),
        np.empty((2 * size, LANES), dtype),
        np.empty((2 * size, LANES), dtype),
        np.empty((2, 2 * bond * bond, LANES), dtype),
        np.empty((4 * qubits, LANES), dtype),
    )


@strict_inner
def _qubits_of(site):
    """Number of qubits of a site."""
    qubits, size = 0, site.width
    while size > 1:
        qubits += 1
        size //= 2
    return qubits


@strict_inner
def _environments(x, sites, centre, space):
    """Environments of all sites but the centre, outwards from the centre.

    E[a, b] belongs to the bond towards the centre: <b|rho|a> of the state without the site and what lies behind it.
    """
    for step in range(1, sites.shape[0]):
        for is_left in (True, False):
            s = centre - step if is_left else centre + step
            if s < 0 or s >= sites.shape[0]:
                continue
            nearer = s + 1 if is_left else s - 1
            site = sites[nearer]
            start, source = site.start, x
            if nearer != centre:
                _times_environment(x, site, is_left, space.environments[nearer], space.ket)
                start, source = 0, space.ket
            if is_left:  # E[a, b] = sum ket[a, .] conj(T[b, .])
                m, k = site.left, site.width * site.right
                ket, tensor = matrix(source, start, m, k), matrix(x, site.start, m, k)
                multiply_adjoint_b(matrix(space.environments[s], 0, m, m), ket, tensor, SETS)
            else:  # E[a, b] = sum conj(T[., a]) ket[., b]
                m, k = site.right, site.left * site.width
                ket, tensor = matrix(source, start, k, m), matrix(x, site.start, k, m)
                multiply_adjoint_a(matrix(space.environments[s], 0, m, m), tensor, ket, SETS)


@strict_inner
def _times_environment(x, site, is_left, env, out):
    """out <- T E for a site left of the centre, E T for one to its right."""
    left, right = site.left, site.right
    if is_left:
        rows = left * site.width
        multiply(matrix(out, 0, rows, right), matrix(x, site.start, rows, right), matrix(env, 0, right, right), SETS)
    else:
        size = site.width * right
        multiply(matrix(out, 0, left, size), matrix(env, 0, left, left), matrix(x, site.start, left, size), SETS)


@strict_inner
def read(x, sites, centre, space):
    """Fill environments and sums (4 n, LANES), four per qubit (see `pair_sums`)."""
    _environments(x, sites, centre, space)
    qubit = 0
    for s in range(sites.shape[0]):
        site = sites[s]
        size = site.left * site.width * site.right
        if s == centre:
            copy(vector(x, site.start, size), vector(space.ket, 0, size))
        else:
            _times_environment(x, site, s < centre, space.environments[s], space.ket)
        shift = site.width * site.right // 2
        while shift >= site.right:
            pairs = neighbours(size // (2 * shift), shift)
            pair_sums(x, site.start, space.ket, 0, pairs, space.sums, 4 * qubit)
            qubit += 1
            shift //= 2


@strict_inner
def _moments(sums, qubit, lane):
    """Squared norm of a sample's state as one of its qubits sees it, and X, Y and Z of the qubit times that."""
    zero, one = sums[4 * qubit + 2, lane], sums[4 * qubit + 3, lane]
    return zero + one, 2 * sums[4 * qubit, lane], 2 * sums[4 * qubit + 1, lane], zero - one


@strict_inner
def finish(space, first, z):
    """From the sums of a tile to z (batch, 3n) of the normalised states."""
    n = z.shape[1] // 3
    for lane in range(min(LANES, z.shape[0] - first)):
        for qubit in range(n):
            trace, x_sum, y_sum, z_sum = _moments(space.sums, qubit, lane)
            scale = 1 / trace if trace > 0 else 0
            z[first + lane, qubit] = x_sum * scale
            z[first + lane, n + qubit] = y_sum * scale
            z[first + lane, 2 * n + qubit] = z_sum * scale


@strict_inner
def unread(x, g, sites, centre, space, first, g_z):
    """Add what the cotangents of the readouts g_z (batch, 3n) make of those of the sites to g, after `read`."""
    n, last = g_z.shape[1] // 3, g_z.shape[0] - 1
    weights = np.empty((3 * n, LANES), x.dtype)
    mean = np.zeros((1, LANES), x.dtype)
    for lane in range(LANES):
        sample = min(first + lane, last)
        for qubit in range(n):
            trace, x_sum, y_sum, z_sum = _moments(space.sums, qubit, lane)
            scale = 2 / trace if trace > 0 else 0
            for k in range(3):
                weights[3 * qubit + k, lane] = scale * g_z[sample, k * n + qubit]
            value = x_sum * weights[3 * qubit, lane] + y_sum * weights[3 * qubit + 1, lane]
            value += z_sum * weights[3 * qubit + 2, lane]
            mean[0, lane] -= value / trace if trace > 0 else 0
    qubit = 0
    for s in range(centre):
        _unread_site(x, g, sites, s, centre, space, weights, qubit)
        qubit += _qubits_of(sites[s])
    backwards = n
    for s in range(sites.shape[0] - 1, centre, -1):
        backwards -= _qubits_of(sites[s])
        _unread_site(x, g, sites, s, centre, space, weights, backwards)
    _unread_site(x, g, sites, centre, centre, space, weights, qubit)
    site = sites[centre]
    size = site.left * site.width * site.right
    add_scaled(vector(g, site.start, size), vector(x, site.start, size), mean)


@strict_inner
def _unread_site(x, g, sites, s, centre, space, weights, qubit):
    """phi = (O + H) T of one site, whose first qubit is given, its part of g, and the next H."""
    site, phi, env, bonds = sites[s], space.phi, space.environments[s], space.bonds
    start, left, right, size = site.start, site.left, site.right, site.left * site.width * site.right
    clear(vector(phi, 0, size))
    shift = site.width * right // 2
    while shift >= right:
        add_paulis(x, start, phi, 0, neighbours(size // (2 * shift), shift), weights, 3 * qubit)
        qubit += 1
        shift //= 2
    # The site and phi as matrices, of which the bond to the left or to the right is one index.
    by_left, phi_by_left = matrix(x, start, left, size // left), matrix(phi, 0, left, size // left)
    by_right, phi_by_right = matrix(x, start, size // right, right), matrix(phi, 0, size // right, right)
    from_left = matrix(bonds[0], 0, left, left)
    from_right = transposed(matrix(bonds[1], 0, right, right))
    if s <= centre and s > 0:  # phi[l, .] += sum_m H[l, m] T[m, .]
        multiply(phi_by_left, from_left, by_left, ADDS)
    if s >= centre and s < sites.shape[0] - 1:  # phi[., r] += sum_m T[., m] H[r, m]
        multiply(phi_by_right, by_right, from_right, ADDS)
    if s < centre:
        multiply_adjoint_a(matrix(bonds[0], 0, right, right), by_right, phi_by_right, SETS)
        multiply(matrix(g, start, size // right, right), phi_by_right, matrix(env, 0, right, right), ADDS)
    elif s > centre:
        multiply_adjoint_b(transposed(matrix(bonds[1], 0, left, left)), phi_by_left, by_left, SETS)
        multiply(matrix(g, start, left, size // left), matrix(env, 0, left, left), phi_by_left, ADDS)
    else:
        for row in range(2 * size):
            for lane in range(LANES):
                g[2 * start + row, lane] += phi[row, lane]
