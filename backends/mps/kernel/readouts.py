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

import numpy as np

from backends.kernels.algebra import add_scaled, clear, copy_lanes, multiply, multiply_conj_a, multiply_conj_b
from backends.kernels.compiling import strict_inner
from backends.kernels.simd import LANES
from backends.kernels.turns import add_paulis, neighbours, pair_sums


@strict_inner
def readout_space(sites, dtype):
    """Arrays that the functions below work on: environments, two site tensors, the H of both sides, and sums."""
    bond, size, qubits = 1, 1, 0
    for s in range(sites.shape[0]):
        bond = max(bond, sites[s, 1])
        size = max(size, sites[s, 1] * sites[s, 2] * sites[s, 3])
        qubits += _qubits_of(sites[s])
    return (
        np.empty((sites.shape[0], 2 * bond * bond, LANES), dtype),
        np.empty((2 * size, LANES), dtype),
        np.empty((2 * size, LANES), dtype),
        np.empty((2, 2 * bond * bond, LANES), dtype),
        np.empty((4 * qubits, LANES), dtype),
    )


@strict_inner
def _qubits_of(site):
    """Number of qubits of a site."""
    qubits, size = 0, site[2]
    while size > 1:
        qubits += 1
        size //= 2
    return qubits


@strict_inner
def _environments(x, sites, centre, env, ket):
    """Environments of all sites but the centre, env (sites, 2 bond^2, LANES), outwards from the centre.

    E[a, b] belongs to the bond towards the centre: <b|rho|a> of the state without the site and what lies behind it.
    """
    for step in range(1, sites.shape[0]):
        for side in range(2):
            s = centre - step if side == 0 else centre + step
            if s < 0 or s >= sites.shape[0]:
                continue
            nearer = s + 1 if side == 0 else s - 1
            start, source = sites[nearer, 0], x
            if nearer != centre:
                _times_environment(x, sites[nearer], side == 0, env[nearer], ket)
                start, source = 0, ket
            _, near_left, near_width, near_right = sites[nearer]
            if side == 0:  # E[a, b] = sum ket[a, .] conj(T[b, .])
                m, k = near_left, near_width * near_right
                multiply_conj_b(env[s], 0, m, 1, source, start, k, 1, x, sites[nearer, 0], 1, k, m, m, k, 0)
            else:  # E[a, b] = sum conj(T[., a]) ket[., b]
                m, k = near_right, near_left * near_width
                multiply_conj_a(env[s], 0, m, 1, x, sites[nearer, 0], 1, m, source, start, m, 1, m, m, k, 0)


@strict_inner
def _times_environment(x, site, is_left, env, out):
    """out <- T E for a site left of the centre, E T for one to its right."""
    start, left, width, right = site
    if is_left:
        multiply(out, 0, right, 1, x, start, right, 1, env, 0, right, 1, left * width, right, right, 0)
    else:
        size = width * right
        multiply(out, 0, size, 1, env, 0, left, 1, x, start, size, 1, left, size, left, 0)


@strict_inner
def read(x, sites, centre, space):
    """Fill environments and sums (4 n, LANES), four per qubit (see `pair_sums`)."""
    env, ket, _, _, sums = space
    _environments(x, sites, centre, env, ket)
    size = sites[centre, 1] * sites[centre, 2] * sites[centre, 3]
    qubit = 0
    for s in range(sites.shape[0]):
        start, left, width, right = sites[s]
        if s == centre:
            copy_lanes(x, start, 1, 1, ket, 0, 1, 1, size, 1, x.dtype.type(0))
        else:
            _times_environment(x, sites[s], s < centre, env[s], ket)
        shift = width * right // 2
        while shift >= right:
            pairs = neighbours(left * width * right // (2 * shift), shift)
            pair_sums(x, start, ket, 0, pairs, sums, 4 * qubit)
            qubit += 1
            shift //= 2


@strict_inner
def _trace(sums, qubit, lane):
    """Squared norm of a sample's state, as one of its qubits sees it."""
    return sums[4 * qubit + 2, lane] + sums[4 * qubit + 3, lane]


@strict_inner
def finish(space, first, z):
    """From the sums of a tile to z (batch, 3n) of the normalised states."""
    _, _, _, _, sums = space
    n = z.shape[1] // 3
    for lane in range(min(LANES, z.shape[0] - first)):
        for q in range(n):
            trace = _trace(sums, q, lane)
            scale = 1 / trace if trace > 0 else 0
            z[first + lane, q] = 2 * sums[4 * q, lane] * scale
            z[first + lane, n + q] = 2 * sums[4 * q + 1, lane] * scale
            z[first + lane, 2 * n + q] = (sums[4 * q + 2, lane] - sums[4 * q + 3, lane]) * scale


@strict_inner
def unread(x, g, sites, centre, space, first, g_z):
    """Add what the cotangents of the readouts g_z (batch, 3n) make of those of the sites to g, after `read`."""
    env, _, phi, bonds, sums = space
    n = g_z.shape[1] // 3
    weights = np.empty((3 * n, LANES), x.dtype)
    mean = np.zeros((1, LANES), x.dtype)
    last = g_z.shape[0] - 1
    for lane in range(LANES):
        sample = min(first + lane, last)
        for q in range(n):
            trace = _trace(sums, q, lane)
            scale = 2 / trace if trace > 0 else 0
            for k in range(3):
                weights[3 * q + k, lane] = scale * g_z[sample, k * n + q]
            value = 2 * sums[4 * q, lane] * weights[3 * q, lane] + 2 * sums[4 * q + 1, lane] * weights[3 * q + 1, lane]
            value += (sums[4 * q + 2, lane] - sums[4 * q + 3, lane]) * weights[3 * q + 2, lane]
            mean[0, lane] -= value / trace if trace > 0 else 0
    qubits = 0
    for s in range(centre):
        qubits = _unread_site(x, g, sites, s, centre, env, phi, bonds, weights, qubits)
    backwards = n
    for s in range(sites.shape[0] - 1, centre, -1):
        backwards -= _qubits_of(sites[s])
        _unread_site(x, g, sites, s, centre, env, phi, bonds, weights, backwards)
    start, left, width, right = sites[centre]
    size = left * width * right
    _unread_site(x, g, sites, centre, centre, env, phi, bonds, weights, qubits)
    add_scaled(g, start, 1, 1, x, start, 1, 1, size, 1, mean)


@strict_inner
def _unread_site(x, g, sites, s, centre, env, phi, bonds, weights, qubit):
    """phi = (O + H) T of one site, its part of g, and the next H; bonds (2, 2 bond^2, LANES) is H left and right."""
    start, left, width, right = sites[s]
    size = left * width * right
    clear(phi, 2 * size)
    shift = width * right // 2
    while shift >= right:
        add_paulis(x, start, phi, 0, neighbours(size // (2 * shift), shift), weights, 3 * qubit)
        qubit += 1
        shift //= 2
    if s <= centre and s > 0:  # H from the left: phi[l, .] += sum_m H[l, m] T[m, .]
        k = width * right
        multiply(phi, 0, k, 1, bonds[0], 0, left, 1, x, start, k, 1, left, k, left, 1)
    if s >= centre and s < sites.shape[0] - 1:  # from the right: phi[., r] += sum_m T[., m] H[r, m]
        k = left * width
        multiply(phi, 0, right, 1, x, start, right, 1, bonds[1], 0, 1, right, k, right, right, 1)
    if s < centre:
        k = left * width
        multiply_conj_a(bonds[0], 0, right, 1, x, start, 1, right, phi, 0, right, 1, right, right, k, 0)
        multiply(g, start, right, 1, phi, 0, right, 1, env[s], 0, right, 1, k, right, right, 1)
    elif s > centre:
        k = width * right
        multiply_conj_b(bonds[1], 0, 1, left, phi, 0, k, 1, x, start, 1, k, left, left, k, 0)
        multiply(g, start, k, 1, env[s], 0, left, 1, phi, 0, k, 1, left, k, left, 1)
    else:
        for row in range(2 * size):
            for lane in range(LANES):
                g[2 * start + row, lane] += phi[row, lane]
    return qubit
