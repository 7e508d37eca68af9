"""A function on JAX arrays, compiled, as one differentiable operation on torch tensors."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor


def compiled_by_jax(sequence: Callable[[Any], Any]) -> Callable[[Tensor], Tensor]:
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
