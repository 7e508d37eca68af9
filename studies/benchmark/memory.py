"""Peak memory of one training step, in a process of its own.

`python -m studies.benchmark.memory SIMULATOR N L B T [S [CHI]]`, in the order of the fields of the workload; S is an
integer or None. With CHI the simulator is one of the MPS.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import astuple, replace
from functools import partial
from typing import Any

from backends.errors import InvalidInput
from lightning_modules.runs.measured import PeakMemory
from studies.benchmark import measure, mps_measure
from studies.benchmark.workload import ChainWorkload, Sizes, Workload


def peak_bytes(name: str, workload: Sizes) -> int:
    """Return the peak of the resident memory during a training step, above what is resident before it.

    Imports, compiled code and a first step of another size come before.

    Raises:
        InvalidInput: The step failed, for want of memory perhaps.
    """
    sizes = [str(size) for size in astuple(workload)]
    command = [sys.executable, "-m", "studies.benchmark.memory", name, *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InvalidInput(f"tnqrnn benchmark: {name} failed while its memory was measured: {told}")
    return int(json.loads(done.stdout.splitlines()[-1]))


def _measure(name: str, workload: Sizes) -> int:
    sizes: dict[str, Any] = {"n_qubits": 4, "batch": 8, "timesteps": 2}
    if isinstance(workload, ChainWorkload):
        small = replace(workload, **sizes, max_bond=1)  # with a bond that truncates, as the real one does
        first, real = (partial(mps_measure.train, mps_measure.load(name, w), w) for w in (small, workload))
    else:
        assert isinstance(workload, Workload)
        rings = (replace(workload, **sizes), workload)
        first, real = (partial(measure.train, measure.load(name, ring), ring) for ring in rings)
    first()
    memory = PeakMemory()
    real()
    return memory.above_start()


if __name__ == "__main__":
    sizes = [None if size == "None" else int(size) for size in sys.argv[2:]]
    print(json.dumps(_measure(sys.argv[1], (ChainWorkload if len(sizes) == 6 else Workload)(*sizes))))  # type: ignore[arg-type]
