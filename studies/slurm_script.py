"""`tnqrnn slurm-script`: print the batch script that trains a configuration on nodes of a SLURM cluster."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from backends.errors import InvalidInput
from lightning_modules.cli.cli import exit_code
from studies.arguments import Parser

DESCRIPTION = """Print a batch script for 'tnqrnn fit' on several nodes: tnqrnn slurm-script --config digits --nodes 2
--time 1:00:00 > job.sh; sbatch job.sh. Every other setting, such as --model.n_qubits 8 or --seed 1, is that of 'tnqrnn
fit', and is checked before the script is printed. When the time is nearly up, or the nodes are needed for other jobs,
the run is saved and the job requeued; submitted again, the script goes on with the run."""

# SLURM may send its signal up to a minute early; what is left must hold a step and the start of the processes.
SHORTEST_BESIDES_LEAD = 60
_MEMORY = re.compile(r"\d+[KMGT]?")
_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<parts>\d+(?::\d+){0,2})")

_SCRIPT = """\
#!/bin/bash
{directives}

{preparation}

# One process for each task, the same command in all of them: they find each other through SLURM. A process that ends
# with an error ends the others, which would wait for it.
srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" {command} && exit
code=$?
# 2: the request itself was refused.
[ "$code" -eq 2 ] ||
    echo "tnqrnn ended with exit code $code; why is said above. Submitted again, this script goes on with the run." >&2
exit "$code"
"""


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 printed, 2 refused."""
    return exit_code(lambda: print(script(argv), end=""))


def script(argv: Sequence[str]) -> str:
    """Return the batch script for a command line.

    Raises:
        InvalidInput: A setting of the job, or of the run, cannot be used.
    """
    job, others = _parser().parse_known_args(argv)
    _check(job)
    from lightning_modules.cli.run_command import describe_run

    run = describe_run(_on_gpus(job, ["--config", job.config, "--runs", str(Path(job.runs).resolve()), *others]))
    return _SCRIPT.format(
        directives="\n".join(f"#SBATCH {line}" for line in _directives(job, run.directory.path.name)),
        preparation="\n".join(_preparation(job)),
        # -P: the job's folder may hold packages with the names of ours.
        command=shlex.join([sys.executable, "-P", "-m", "tnqrnn", "fit", *run.arguments]),
    )


def seconds(time: str) -> int:
    """Return the seconds of a time as SLURM writes it: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS.

    Raises:
        InvalidInput: It is none of these.
    """
    found = _TIME.fullmatch(time)
    if found is None:
        raise InvalidInput(f"tnqrnn slurm-script: --time must be like 30, 2:00:00 or 1-12:00:00, got {time!r}.")
    parts = [int(part) for part in found["parts"].split(":")]
    if found["days"] is not None:
        hours, minutes, left = [*parts, 0, 0][:3]
        return ((int(found["days"]) * 24 + hours) * 60 + minutes) * 60 + left
    if len(parts) == 1:
        return 60 * parts[0]
    hours, minutes, left = [0, *parts][-3:]
    return (hours * 60 + minutes) * 60 + left


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tnqrnn slurm-script",
        usage="tnqrnn slurm-script --config NAME --nodes 2 --time 1:00:00 [--setting value ...]",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, help="shipped configuration or path of a YAML file")
    parser.add_argument("--runs", default="runs", help="folder of all runs, seen by every node (%(default)s)")
    parser.add_argument("--nodes", type=int, default=1, help="nodes (%(default)s)")
    parser.add_argument("--time", required=True, help="longest time until the job is requeued, as SLURM writes it")
    parser.add_argument("--processes-per-node", type=int, help="processes on each node (1, or one for each GPU)")
    parser.add_argument("--cpus-per-process", type=int, default=1, help="cores of each process (%(default)s)")
    parser.add_argument("--gpus-per-node", type=int, default=0, help="GPUs on each node (%(default)s)")
    parser.add_argument("--memory", help="memory of each node, such as 16G (that of the partition)")
    parser.add_argument("--partition", help="partition (that of the cluster)")
    parser.add_argument("--account", help="account (yours)")
    parser.add_argument("--module", action="append", default=[], help="module to load first; may be given again")
    parser.add_argument("--lead", type=int, default=120, help="seconds before the end at which to stop (%(default)s)")
    return parser


def _check(job: argparse.Namespace) -> None:
    least = {"nodes": 1, "cpus_per_process": 1, "gpus_per_node": 0, "lead": 1}
    if job.processes_per_node is None:
        job.processes_per_node = max(1, job.gpus_per_node)
    for name, smallest in {**least, "processes_per_node": 1}.items():
        if getattr(job, name) < smallest:
            flag = name.replace("_", "-")
            raise InvalidInput(f"tnqrnn slurm-script: --{flag} must be at least {smallest}, got {getattr(job, name)}.")
    if not job.runs:
        raise InvalidInput("tnqrnn slurm-script: --runs is no name of a folder; leave it out for the folder 'runs'.")
    if job.memory is not None and not _MEMORY.fullmatch(job.memory):
        raise InvalidInput(f"tnqrnn slurm-script: --memory must be like 500M or 16G, got {job.memory!r}.")
    for name in ("partition", "account"):
        value = getattr(job, name)
        if value is not None and (not value or len(value.split()) != 1):
            raise InvalidInput(f"tnqrnn slurm-script: --{name} must be one word, got {value!r}.")
    if seconds(job.time) < job.lead + SHORTEST_BESIDES_LEAD:
        raise InvalidInput(
            f"tnqrnn slurm-script: --time {job.time} leaves less than {SHORTEST_BESIDES_LEAD} s to train before the "
            f"run is told to stop, {job.lead} s ahead; ask for more time, or lower --lead."
        )
    if job.gpus_per_node and job.processes_per_node != job.gpus_per_node:
        raise InvalidInput(
            f"tnqrnn slurm-script: {job.processes_per_node} processes cannot share {job.gpus_per_node} GPUs one each; "
            "leave --processes-per-node out."
        )


def _directives(job: argparse.Namespace, run: str) -> list[str]:
    lines = [
        f"--job-name={run}",
        f"--nodes={job.nodes}",
        f"--ntasks-per-node={job.processes_per_node}",
        f"--cpus-per-task={job.cpus_per_process}",
        f"--time={job.time}",
        f"--signal=USR1@{job.lead}",  # to the processes: save, and requeue the job
        "--requeue",
        "--open-mode=append",  # a requeued job goes on writing its log
        "--output=%x-%j.log",
    ]
    if job.gpus_per_node:
        lines.append(f"--gpus-per-node={job.gpus_per_node}")
    for flag, value in (("mem", job.memory), ("partition", job.partition), ("account", job.account)):
        if value is not None:
            lines.append(f"--{flag}={value}")
    return lines


def _preparation(job: argparse.Namespace) -> list[str]:
    modules = [f"module load {shlex.quote(module)}" for module in job.module]
    hint = "# The Python below is the one that printed this script. If it needs modules, load them here (--module)."
    threads = 'export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"'
    return [hint, *modules, threads]


def _on_gpus(job: argparse.Namespace, arguments: list[str]) -> list[str]:
    named = any(argument.startswith("--trainer.accelerator") for argument in arguments)
    return [*arguments, "--trainer.accelerator", "gpu"] if job.gpus_per_node and not named else arguments
