"""A SLURM cluster of two nodes on this machine, for tests: `python -m tests.slurm.onebox FOLDER` starts one to look at.

munged, slurmctld and two slurmd run in a scratch folder and on ports of their own, without systemd, accounting or
cgroups; they need root and Debian's slurmctld, slurmd, slurm-client and munge. Placement only: both nodes are the same
cores, so nothing can be timed on it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scontrol")
PARTITION = "debug"

_CONFIGURATION = """\
ClusterName=onebox
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/munge.sock
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=600
SlurmdParameters=config_overrides
SlurmctldParameters=preempt_send_user_signal
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd-%n.log
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName={partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def what_is_missing() -> str | None:
    """Return why no cluster can be started here, or None."""
    missing = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if missing:
        return f"no SLURM on this machine ({', '.join(missing)} not found)"
    return None if os.geteuid() == 0 else "the one-machine SLURM is started by root only"


@dataclass(frozen=True)
class OneBox:
    """A running cluster; its commands find it by `environment`."""

    root: Path
    environment: dict[str, str]

    def run(self, command: Sequence[str], *, timeout: float = 60, check: bool = True) -> str:
        """Return what a command such as `["squeue"]` prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def submit(self, script: Path) -> str:
        """Submit a batch script and return the job's number."""
        return self.run(["sbatch", "--parsable", str(script)]).strip()

    def state(self, job: str) -> str:
        """Return a job's state: PENDING, RUNNING, COMPLETED, FAILED, ..."""
        return self._field(job, "JobState")

    def restarts(self, job: str) -> int:
        """Return how often a job was requeued."""
        return int(self._field(job, "Restarts"))

    def start_now(self, job: str) -> None:
        """Start a requeued job at once; SLURM holds it for two minutes."""
        time.sleep(3)  # within the second in which its first start ended, the second would be refused its credential
        self.run(["scontrol", "update", f"JobId={job}", "StartTime=now"])

    def wait(self, job: str, states: Sequence[str], timeout: float = 60) -> str:
        """Return the job's state once it is one of `states`."""
        wait_until(lambda: self.state(job) in states, timeout, f"job {job} in {', '.join(states)}")
        return self.state(job)

    def _field(self, job: str, name: str) -> str:
        for line in self.run(["scontrol", "show", "job", job, "--oneliner"]).split():
            key, _, value = line.partition("=")
            if key == name:
                return value
        raise RuntimeError(f"scontrol does not tell {name} of job {job}")


def wait_until(true: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait for something to become true.

    Raises:
        TimeoutError: It did not, within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:.0f} s for {what}")
        time.sleep(0.1)


@contextmanager
def running(root: Path, path: Sequence[Path] = ()) -> Iterator[OneBox]:
    """Start a cluster in the folder `root`, which is made; stop it and its jobs at the end.

    `path`: folders from which Python imports, in the jobs.
    """
    for folder in ("state", "log", "spool/n1", "spool/n2"):
        (root / folder).mkdir(parents=True)
    (root / "munge").mkdir(mode=0o700)
    configuration = root / "slurm.conf"
    configuration.write_text(_CONFIGURATION.format(host=_host(), ports=_free_ports(3), root=root, partition=PARTITION))
    # The jobs inherit what the daemons see: no threads or addresses of the test session.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
    ours = {"PATH": _path(), "SLURM_CONF": str(configuration), "PYTHONPATH": os.pathsep.join(map(str, path))}
    box = OneBox(root, {**kept, **ours})
    try:
        _start(box)
        yield box
    finally:
        _stop(box)


def _start(box: OneBox) -> None:
    munge = box.root / "munge"
    key = munge / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    files = {
        "socket": "munge.sock",
        "key-file": key.name,
        "pid-file": "munged.pid",
        "log-file": "log",
        "seed-file": "seed",
    }
    _daemon(box, ["munged", "--force", *(f"--{name}={munge / file}" for name, file in files.items())])
    _daemon(box, ["slurmctld", "-c"])
    for node in ("n1", "n2"):
        _daemon(box, ["slurmd", "-N", node])

    def idle() -> bool:
        return box.run(["sinfo", "--noheader", "--Node", "--format=%T"], check=False).split() == ["idle"] * 2

    wait_until(idle, 30, f"two idle nodes; see {box.root / 'log'}")


def _daemon(box: OneBox, command: list[str]) -> None:
    # Its output into a file: a daemon that keeps a pipe open would never let the caller see the end of it.
    with (box.root / "log" / f"start-{command[0]}.log").open("ab") as log:
        subprocess.run(command, env=box.environment, stdout=log, stderr=log, check=True, timeout=30)


def _stop(box: OneBox) -> None:
    with ExitStack() as stack:
        # munged last: the others speak through it.
        for file in ("munge/munged.pid", "slurmctld.pid", "slurmd-n2.pid", "slurmd-n1.pid"):
            stack.callback(_end, box.root / file)
        if (box.root / "slurmctld.pid").exists():
            box.run(["scancel", "--full", f"--partition={PARTITION}"], check=False)
            wait_until(lambda: not box.run(["squeue", "--noheader"], check=False).strip(), 20, "all jobs to end")


def _end(pid_file: Path) -> None:
    """End the daemon whose number is in a file."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGTERM)
    try:
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), 10, pid_file.stem)
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _path() -> str:
    # The daemons are in /usr/sbin, which a user's PATH may lack.
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    if reason := what_is_missing():
        sys.exit(reason)
    with running(Path(sys.argv[1]).resolve()) as cluster:
        print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}\nCtrl-D ends it", flush=True)
        sys.stdin.read()
