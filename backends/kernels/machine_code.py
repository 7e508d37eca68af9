"""Machine code of the kernels on disk, found again only by all that it was made from.

Numba's own cache looks at the file of the function that is called, and lies beside it in the package. Most of a
kernel's code comes from other files, so that it would go on with the old code of a file that has changed. Ours lies
below `cache_root()`, in a folder named by a digest of everything that machine code depends on, the *stamp*: another
version, another compiler or another processor looks in another folder. Checkouts of one version share theirs.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import re
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy
from numba.core import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from backends.cache import cache_root, keep

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = ("kernels", "statevector", "mps/kernel")
# Settings of Numba (environment variables NUMBA_...) that change the code; the processor's come with the target.
_SETTINGS = ("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "ENABLE_AVX", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE")
# Stamps whose code stays on disk, the last used: some megabytes each, and a cluster has several kinds of nodes.
_KEPT = 16


class KernelCache(NullCache):
    """The cache of one compiled function, as Numba asks for it: a file for each set of argument types.

    A file that cannot be read or is damaged is as good as none: the function is compiled again.
    """

    def __init__(self, function: Any) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the compiled function for these argument types, or None."""
        target_context.refresh()
        payload = _read(self._file(signature, target_context.codegen()))
        if payload is None:
            return None
        kept_for, code = pickle.loads(payload)
        if kept_for != signature:
            return None
        return CompileResult._rebuild(target_context, *code)  # type: ignore[no-untyped-call]

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a compiled function, unless it holds addresses of this process."""
        if not compiled.library.has_dynamic_globals:
            payload = dumps((signature, compiled._reduce()))  # type: ignore[no-untyped-call]
            keep(self._file(signature, compiled.library.codegen), hashlib.sha256(payload).digest() + payload)

    def _file(self, signature: Any, codegen: Any) -> Path:
        types = hashlib.sha256(repr(signature).encode()).hexdigest()[:16]
        return _folder(codegen.magic_tuple()) / f"{self._name}-{types}"


def is_stamped(function: Any) -> bool:
    """Return whether the stamp covers all that a function is made from: not so for functions of tests and studies."""
    file = Path(function.__code__.co_filename)
    return file.parent in [_PACKAGE / folder for folder in _FOLDERS] and function.__closure__ is None


def digest_of_sources(package: Path) -> str:
    """Return a digest of the files that the kernels are made from."""
    digest = hashlib.sha256()
    for file in sorted(file for name in _FOLDERS for file in (package / name).glob("*.py")):
        contents = file.read_bytes()
        digest.update(f"{file.relative_to(package)} {len(contents)} ".encode() + contents)
    return digest.hexdigest()


# Read when the kernels are imported: a file that is edited later on has no part in this process's code.
_SOURCES = digest_of_sources(_PACKAGE)


def stamp(sources: str, target: tuple[str, ...]) -> str:
    """Return the digest of everything that machine code depends on; `target` is Numba's, with the processor's name."""
    versions = [platform.python_version(), numba.__version__, llvmlite.__version__, numpy.__version__]
    settings = [str(getattr(config, name, None)) for name in _SETTINGS]
    return hashlib.sha256(repr([sources, target, versions, settings]).encode()).hexdigest()[:32]


@cache
def _folder(target: tuple[str, ...]) -> Path:
    """The folder of this process's machine code. Its date says when it was last used; the oldest go."""
    folder = cache_root() / "kernels" / stamp(_SOURCES, target)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        stamps = [other for other in folder.parent.iterdir() if re.fullmatch("[0-9a-f]{32}", other.name)]
        for other in sorted(stamps, key=lambda other: other.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _read(file: Path) -> bytes | None:
    try:
        contents = file.read_bytes()
    except OSError:
        return None
    digest, payload = contents[:32], contents[32:]
    return payload if hashlib.sha256(payload).digest() == digest else None
