"""TensorCircuit-NG on JAX, compiled (pip install tensorcircuit-ng jax): mapped over samples.

The statevector is scanned over timesteps, the MPS unrolled: compiling it takes minutes at 8 qubits and grows with
qubits, layers and timesteps, so leave it out of large workloads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from studies.benchmark.simulators import Simulator
from studies.benchmark.workload import Workload


def make(workload: Workload) -> Simulator:
    """Return the compiled simulation, as one torch operation; its first call compiles, for tens of seconds or more.

    Forward is the value alone; backward is value and gradient together, as JAX would train: the time of a training step
    is that of the backward.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    tc = import_module("tensorcircuit")
    tc.set_backend("jax")
    tc.set_dtype("complex64")
    compiled = _compiled((_statevector if workload.max_bond is None else _mps)(workload, tc))
    return Simulator(lambda angles: (compiled(angles), None), backward_is_all=True)


def _statevector(workload: Workload, tc: Any) -> Any:
    """Readouts (time, 3 n_qubits) of one sample, from its angles (time, n_angles)."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    n = workload.n_qubits

    def step(psi: Any, angles: Any) -> tuple[Any, Any]:
        circuit = tc.Circuit(n, inputs=psi)
        _apply(workload, circuit, angles)
        psi = circuit.state()
        pairs = [jnp.moveaxis(psi.reshape([2] * n), qubit, 0).reshape(2, -1) for qubit in range(n)]
        return psi, _readouts([pair @ pair.conj().T for pair in pairs])

    return lambda angles: jax.lax.scan(step, jnp.zeros(2**n, jnp.complex64).at[0].set(1), angles)[1]


def _mps(workload: Workload, tc: Any) -> Any:
    """Readouts (time, 3 n_qubits) of one sample, from its angles (time, n_angles)."""
    jnp = import_module("jax.numpy")

    def densities(sites: list[Any]) -> list[Any]:
        rights = [jnp.ones((1, 1), jnp.complex64)]
        for site in reversed(sites[1:]):
            rights.append(jnp.einsum("aib,bc,dic->ad", site, rights[-1], site.conj()))
        left, found = rights[0], []
        for site, right in zip(sites, reversed(rights), strict=True):
            found.append(jnp.einsum("ad,aib,bc,djc->ij", left, site, right, site.conj()))
            left = jnp.einsum("ad,aib,dic->bc", left, site, site.conj())
        return found

    def sequence(angles: Any) -> Any:
        circuit, values = tc.MPSCircuit(workload.n_qubits, split={"max_singular_values": workload.max_bond}), []
        for step in angles:
            _apply(workload, circuit, step)
            values.append(_readouts(densities(circuit.get_tensors())))
        return jnp.stack(values)

    return sequence


def _apply(workload: Workload, circuit: Any, angles: Any) -> None:
    for name, qubits, angle in workload.gates(angles):
        getattr(circuit, name)(*qubits, theta=angle)


def _readouts(densities: list[Any]) -> Any:
    """X, Y and Z of every qubit, (3n,), from its density matrix up to a factor."""
    jnp = import_module("jax.numpy")
    density = jnp.stack(densities)
    norm, flip = (density[:, 0, 0] + density[:, 1, 1]).real, density[:, 1, 0]
    z = (density[:, 0, 0] - density[:, 1, 1]).real
    return jnp.concatenate([2 * flip.real / norm, 2 * flip.imag / norm, z / norm])


def _compiled(sequence: Callable[[Any], Any]) -> Callable[[Tensor], Tensor]:
    """Return a function of one sample (time, ...), mapped over the second axis of its tensor and compiled.

    Forward is the value alone; backward is value and gradient together, as JAX would train. First calls compile.
    """
    jax, jnp, numpy = import_module("jax"), import_module("jax.numpy"), import_module("numpy")
    batched = jax.vmap(sequence, in_axes=1, out_axes=1)
    forward = jax.jit(batched)
    pull_back = jax.jit(lambda angles, cotangent: jax.vjp(batched, angles)[1](cotangent)[0])

    class Compiled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, angles: Tensor) -> Tensor:
            ctx.angles = jnp.asarray(angles.detach().numpy())
            return torch.from_numpy(numpy.array(forward(ctx.angles)))

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Tensor:
            return torch.from_numpy(numpy.array(pull_back(ctx.angles, jnp.asarray(grads[0].numpy()))))

    def run(angles: Tensor) -> Tensor:
        values: Tensor = Compiled.apply(angles)  # type: ignore[no-untyped-call]
        return values

    return run
