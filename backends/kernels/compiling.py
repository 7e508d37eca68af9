"""How the kernels are compiled: without the interpreter lock, and kept on disk (see `machine_code`)."""

from __future__ import annotations

import numba as nb

from backends.kernels.machine_code import KernelCache, is_stamped

# What LLVM may do to arithmetic, by its names: reorder sums, join a product and a sum in one instruction, divide by
# multiplying with the reciprocal, approximate functions, forget the sign of a zero. Not in it, though `fastmath=True`
# has them: nnan and ninf, that NaN and infinity never occur. They do, in a run that diverges, and then a comparison or
# a result may come out as anything.
FAST = frozenset({"reassoc", "contract", "arcp", "afn", "nsz"})


def jit(function):
    """Compile for the argument types met. Sums may be reordered, products of quotients combined (see `FAST`)."""
    return _compiled(function, fastmath=set(FAST))


def inner(function):
    """Compile likewise what only compiled functions call: without the code that Python would call."""
    return _compiled(function, fastmath=set(FAST), no_cpython_wrapper=True, no_cfunc_wrapper=True)


def strict_jit(function):
    """As `jit`, but every operation as written: where 1 / (x^4 + tiny) must not become part of its own square."""
    return _compiled(function)


def strict_inner(function):
    """As `inner`, but every operation as written."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function, **options):
    compiled = nb.njit(function, nogil=True, error_model="numpy", **options)
    if is_stamped(function):
        compiled._cache = KernelCache(function)
    return compiled
