"""TensorCircuit-NG's MPS on JAX, compiled (pip install tensorcircuit-ng jax): unrolled over time, mapped over samples.

Compiling takes minutes at 8 qubits and grows with qubits, layers and timesteps: leave it out of large workloads.
"""

from __future__ import annotations

from typing import Any

from studies.benchmark.jax_operation import compiled_by_jax, tensorcircuit_on_jax
from studies.benchmark.mps_rivals.contender import Contender
from studies.benchmark.workload import ChainWorkload


def make(workload: ChainWorkload) -> Contender:
    """Return the compiled simulation, as one torch operation; its first call compiles.

    Forward is the value alone; backward is value and gradient together, as JAX would train.
    """
    _, jnp, tc = tensorcircuit_on_jax()
    n, layers = workload.n_qubits, workload.n_layers

    def readouts(sites: list[Any]) -> Any:
        rights = [jnp.ones((1, 1), jnp.complex64)]
        for site in reversed(sites[1:]):
            rights.append(jnp.einsum("aib,bc,dic->ad", site, rights[-1], site.conj()))
        left, columns = rights[0], list[list[Any]]([[], [], []])
        for site, right in zip(sites, reversed(rights), strict=True):
            density = jnp.einsum("ad,aib,bc,djc->ij", left, site, right, site.conj())
            norm, flip = jnp.trace(density).real, density[1, 0]
            values = (2 * flip.real, 2 * flip.imag, (density[0, 0] - density[1, 1]).real)
            for column, value in zip(columns, values, strict=True):
                column.append(value / norm)
            left = jnp.einsum("ad,aib,dic->bc", left, site, site.conj())
        return jnp.stack([value for column in columns for value in column])

    def sequence(angles: Any) -> Any:
        circuit, values = tc.MPSCircuit(n, split={"max_singular_values": workload.max_bond}), []
        for step in angles.reshape(-1, layers, 3 * n - 1):
            for layer in step:
                for qubit in range(n):
                    circuit.ry(qubit, theta=layer[qubit])
                for qubit in range(n):
                    circuit.rz(qubit, theta=layer[n + qubit])
                for qubit in range(n - 1):
                    circuit.crx(qubit, qubit + 1, theta=layer[2 * n + qubit])
            values.append(readouts(circuit.get_tensors()))
        return jnp.stack(values)

    compiled = compiled_by_jax(sequence)
    return Contender(lambda angles: (compiled(angles), None), backward_is_all=True)
