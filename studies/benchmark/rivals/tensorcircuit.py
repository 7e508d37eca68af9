"""TensorCircuit-NG on JAX, compiled (pip install tensorcircuit-ng jax): a scan over timesteps, mapped over samples."""

from __future__ import annotations

from typing import Any

from studies.benchmark.jax_operation import compiled_by_jax, tensorcircuit_on_jax
from studies.benchmark.workload import Simulator, Workload


def make(workload: Workload) -> Simulator:
    """Return the compiled simulation, as one torch operation; its first call compiles for tens of seconds.

    Forward is the value alone; backward is value and gradient together, as JAX would train: the time of a training step
    is that of the backward.
    """
    jax, jnp, tc = tensorcircuit_on_jax()
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

    return compiled_by_jax(sequence)
