"""TensorCircuit-NG on JAX, compiled (pip install tensorcircuit-ng jax): a scan over timesteps, mapped over samples."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from studies.benchmark.workload import Simulator, Workload


def make(workload: Workload) -> Simulator:
    """Return the compiled simulation, as one torch operation; its first call compiles for tens of seconds.

    Forward is the value alone; backward is value and gradient together, as JAX would train: the time of a training step
    is that of the backward.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jax, tc, numpy = import_module("jax"), import_module("tensorcircuit"), import_module("numpy")
    jnp = import_module("jax.numpy")
    tc.set_backend("jax")
    tc.set_dtype("complex64")
    n = workload.n_qubits

    def step(psi: Any, angles: Any) -> tuple[Any, Any]:
        circuit = tc.Circuit(n, inputs=psi)
        for layer in angles.reshape(workload.n_layers, 3, n):
            for qubit in range(n):
                circuit.ry(qubit, theta=layer[0, qubit])
            for qubit in range(n):
                circuit.rz(qubit, theta=layer[1, qubit])
            for qubit in range(n):
                circuit.crx(qubit, (qubit + 1) % n, theta=layer[2, qubit])
        psi = circuit.state()
        values: list[list[Any]] = [[], [], []]
        for qubit in range(n):
            pair = jnp.moveaxis(psi.reshape([2] * n), qubit, 0).reshape(2, -1)
            flip, weights = jnp.vdot(pair[0], pair[1]), (jnp.abs(pair) ** 2).sum(1)
            for column, value in zip(values, (2 * flip.real, 2 * flip.imag, weights[0] - weights[1]), strict=True):
                column.append(value)
        return psi, jnp.stack([value for column in values for value in column])

    def sequence(angles: Any) -> Any:
        return jax.lax.scan(step, jnp.zeros(2**n, jnp.complex64).at[0].set(1), angles)[1]

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
        readouts: Tensor = Compiled.apply(angles)  # type: ignore[no-untyped-call]
        return readouts

    return run
