"""Peak memory of one training step, in a process of its own.

`python -m studies.benchmark.memory SIMULATOR N L B T [S [CHI]]`, in the order of the fields of the workload; S is an
integer or None. With CHI the simulator is one of the MPS.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple, replace

from backends.errors import InvalidInput
from lightning_modules.runs.measured import PeakMemory
from studies.benchmark.measure import train
from studies.benchmark.simulators import load
from studies.benchmark.workload import Workload


def peak_bytes(name: str, workload: Workload) -> int:
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
    return int(done.stdout.splitlines()[-1])


def _measure(name: str, workload: Workload) -> int:
    # Of an MPS with a bond that truncates, as the real one does.
    small = replace(workload, n_qubits=4, batch=8, timesteps=2, max_bond=workload.max_bond and 1)
    first, real = load(name, small), load(name, workload)
    train(first, small)
    memory = PeakMemory()
    train(real, workload)
    return memory.above_start()


if __name__ == "__main__":
    print(_measure(sys.argv[1], Workload(*(None if size == "None" else int(size) for size in sys.argv[2:]))))  # type: ignore[arg-type]
