"""The processes of one training: who started them, where they meet, how many threads each has, what they agree on.

`srun` and `torchrun` start the processes; as many as were started train together, without further settings. Of
everything that is said or written, the first process (rank zero) says and writes it.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning import Trainer

from backends.errors import InvalidInput

T = TypeVar("T")
# A shell that srun opened for a person: what is started in it is one process. Lightning knows these names too.
_INTERACTIVE = ("bash", "interactive")


@dataclass(frozen=True)
class Launch:
    """Processes that somebody else started for one training."""

    by: str  # "srun" or "torchrun"
    processes: int
    nodes: int

    @property
    def per_node(self) -> int:
        """Processes on each node."""
        return self.processes // self.nodes

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Launch | None:
        """Return what started this process together with others; None if it is alone.

        Raises:
            InvalidInput: The nodes do not have the same number of processes.
        """
        if "TORCHELASTIC_RUN_ID" in environment:  # first, because torchrun may itself have been started by srun
            processes, per_node = int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"])
            found = cls("torchrun", processes, -(-processes // per_node))
        elif "SLURM_STEP_NUM_TASKS" in environment and environment.get("SLURM_JOB_NAME") not in _INTERACTIVE:
            found = cls(
                "srun", int(environment["SLURM_STEP_NUM_TASKS"]), int(environment.get("SLURM_STEP_NUM_NODES", 1))
            )
        else:
            return None
        if found.processes % found.nodes:
            raise InvalidInput(
                f"tnqrnn: {found.by} started {found.processes} processes on {found.nodes} nodes; start the same number "
                "on every node (--ntasks-per-node, --nproc-per-node)."
            )
        return found if found.processes > 1 else None

    def cluster(self) -> ClusterEnvironment:
        """Return what tells Lightning the ranks, with an address at which the processes meet."""
        if self.by == "torchrun":
            return TorchElasticEnvironment()
        os.environ.setdefault("MASTER_ADDR", _first_node() if self.nodes > 1 else "127.0.0.1")
        # Lightning wants to see the flag; the number of tasks says the same.
        os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(self.per_node))
        environment = SLURMEnvironment(auto_requeue=False)
        os.environ.setdefault("MASTER_PORT", str(environment.main_port))
        return environment

    def require_devices(self, devices: Any, nodes: int) -> None:
        """Refuse numbers that were asked for (other than the default, 1) and are not those that were started."""
        for name, asked, there in (("devices", devices, self.per_node), ("num_nodes", nodes, self.nodes)):
            if str(asked) not in ("1", "auto", "-1", str(there)):
                raise InvalidInput(
                    f"trainer: {name} is {asked}, but {self.by} started {self.processes} processes on {self.nodes} "
                    f"nodes; leave trainer.{name} out."
                )


def trainer_settings(devices: Any, nodes: int) -> dict[str, Any]:
    """Return the settings of a Trainer that follow from who started this process; `devices`, `nodes`: asked for."""
    # The loaders share batches out themselves, so that the union over the processes is the batch of one process.
    settings: dict[str, Any] = {"use_distributed_sampler": False}
    launch = Launch.find()
    if launch is not None:
        launch.require_devices(devices, nodes)
        cluster = launch.cluster()
        return {**settings, "devices": launch.per_node, "num_nodes": launch.nodes, "plugins": [cluster]}
    if nodes > 1 and "NODE_RANK" not in os.environ:  # which says that somebody starts the others by hand
        raise InvalidInput(
            f"trainer: num_nodes is {nodes}, but nothing started processes on other nodes, so this one would wait for "
            "them in vain; use srun or torchrun (docs/clusters.md), or leave trainer.num_nodes out."
        )
    if "SLURM_JOB_ID" in os.environ:
        # A process alone in a job: Lightning would wait for as many as the job has tasks, and requeue it by itself.
        settings["plugins"] = [LightningEnvironment()]
    return settings


def set_threads(environment: Mapping[str, str] = os.environ) -> None:
    """Give each process its share of the cores of a SLURM job, unless OMP_NUM_THREADS says otherwise."""
    if "SLURM_JOB_ID" not in environment or "OMP_NUM_THREADS" in environment:
        return
    cores = environment.get("SLURM_CPUS_PER_TASK")
    if cores is None:
        launch = Launch.find(environment)
        here = int(environment.get("SLURM_CPUS_ON_NODE", len(os.sched_getaffinity(0))))
        cores = str(max(1, here // (launch.per_node if launch else 1)))
    torch.set_num_threads(min(int(cores), len(os.sched_getaffinity(0))))
    os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())  # or Lightning would divide the machine's cores


class Together:
    """The processes of a trainer: what all or the first of them do before and after training."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._launch = Launch.find()

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.trainer.world_size

    @property
    def per_node(self) -> int:
        """Number of processes on this node."""
        return max(1, self.size // self.trainer.num_nodes)

    def meet(self, run: str) -> None:
        """Connect with the other processes and make sure that all want the same run.

        Processes that Lightning starts by itself (trainer.devices) come later, and are sure to want the same.
        """
        if self._launch is None:
            return
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        if self.trainer.is_global_zero:
            print(f"{self.size} processes on {self._launch.nodes} nodes meet at {where}", flush=True)
        try:
            self.trainer.strategy.setup_environment()
        except dist.DistError as error:
            raise InvalidInput(
                f"tnqrnn: the {self.size} processes did not meet at {where} ({_first_line(error)}); set MASTER_ADDR "
                "and MASTER_PORT to an address and a free port of the first node."
            ) from error
        runs = sorted(set(gathered(run)))
        if len(runs) > 1:
            raise InvalidInput(
                f"tnqrnn: {self._launch.by} started processes with different settings, for {runs[0]} and {runs[1]}; "
                "one training needs the same in all of them, separate ones a job each."
            )

    def all_accept(self, act: Callable[[], None]) -> None:
        """Do something in every process; what one refuses, all refuse, in the words of the first that did."""
        if not connected():
            act()
            return
        refusal = _refusal(act)
        refusals = [told for told in gathered(refusal) if told is not None]
        if refusals:
            raise InvalidInput(refusals[0])

    def by_first(self, act: Callable[[], T]) -> T:
        """Do something in the first process and return its result in all; its refusal is everybody's."""
        if not connected():
            return act()
        answer: list[Any] = [None, None]
        if self.trainer.is_global_zero:
            try:
                answer[0] = act()
            except InvalidInput as refusal:
                answer[1] = str(refusal)
        dist.broadcast_object_list(answer, src=0)
        if answer[1] is not None:
            raise InvalidInput(answer[1])
        return cast(T, answer[0])


def connected() -> bool:
    """Whether this process works together with others."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def gathered(value: T) -> list[T]:
    """Return the plain values of all processes, by rank; every process must call it."""
    if not connected():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def lost_another(error: BaseException) -> bool:
    """Whether an error says that another process of the training is gone."""
    return (
        connected() and isinstance(error, RuntimeError) and (isinstance(error, dist.DistError) or "gloo" in str(error))
    )


def _refusal(act: Callable[[], None]) -> str | None:
    try:
        act()
    except InvalidInput as refusal:
        return str(refusal)
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _first_node() -> str:
    """Return the address of the first node of the job step: its name, or where SLURM reaches it."""
    names = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_NODELIST", "127.0.0.1"))
    name = SLURMEnvironment.resolve_root_node_address(names)
    try:
        socket.getaddrinfo(name, None)
        return name
    except OSError:
        pass
    try:
        told = subprocess.run(
            ["scontrol", "show", "node", name, "--oneliner"], capture_output=True, text=True, check=True
        )
        return dict(field.partition("=")[::2] for field in told.stdout.split())["NodeAddr"]
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise InvalidInput(
            f"tnqrnn: the first node {name!r} has no known address; set MASTER_ADDR to an address of it."
        ) from error
