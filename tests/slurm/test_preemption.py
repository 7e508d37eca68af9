"""Jobs that lose their nodes, a process or their patience: the run goes on and ends as if nothing had happened."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch

from studies.slurm_script import script
from tests.slurm.onebox import OneBox, wait_until
from tests.slurm.runs import curve, results, the_run

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

STEPS_PER_EPOCH, EPOCHS = 41, 6
# fmt: off
RUN = ["--config", "digits", "--model.n_qubits", "4", "--model.controller_width", "8", "--model.dropout", "0.3",
       "--data.batch_size", "32", "--trainer.max_epochs", str(EPOCHS), "--trainer.log_every_n_steps", "1"]
JOB = ["--nodes", "2", "--time", "20", "--lead", "60"]
# fmt: on


@dataclass(frozen=True)
class Submission:
    """A batch script as `tnqrnn slurm-script` prints it, and the folder of its run."""

    box: OneBox
    folder: Path

    @property
    def root(self) -> Path:
        """The folder of all runs."""
        return self.folder / "runs"

    def submit(self, *settings: str) -> str:
        """Write the script, submit it and return the job's number."""
        path = self.folder / "job.sh"
        text = script([*RUN, *JOB, "--runs", str(self.root), *settings])
        path.write_text(re.sub(r"--output=\S+", f"--output={self.folder}/%j.log", text))
        return self.box.submit(path)

    def log(self, job: str) -> str:
        """Return what the job has written so far."""
        return (self.folder / f"{job}.log").read_text()

    def wait_for_step(self, step: int) -> None:
        """Wait until the run has logged a step."""

        def reached() -> bool:
            files = list(self.root.glob("*/metrics.jsonl"))
            return bool(files) and len(files[0].read_text().splitlines()) > step

        wait_until(reached, 400, f"step {step}")

    def ends_in(self, job: str, state: str) -> None:
        """Wait for the end of a job and make sure of it."""
        found = self.box.wait(job, ["COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT"], timeout=400)
        assert found == state, self.log(job)


@pytest.fixture
def submission(onebox: OneBox, tmp_path: Path) -> Submission:
    return Submission(onebox, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(onebox: OneBox, tmp_path_factory: pytest.TempPathFactory) -> Submission:
    """Return a run that nothing happened to."""
    whole = Submission(onebox, tmp_path_factory.mktemp("undisturbed"))
    whole.ends_in(whole.submit(), "COMPLETED")
    return whole


def assert_same(found: Submission, expected: Submission) -> None:
    """The same weights, bit for bit, and the same metrics."""
    weights, others = (
        torch.load(the_run(one.root) / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for one in (found, expected)
    )
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert curve(found.root) == curve(expected.root)
    assert results(found.root) == results(expected.root)


def test_a_preempted_job_is_requeued_and_ends_as_undisturbed(submission: Submission, undisturbed: Submission) -> None:
    box, job = submission.box, submission.submit()
    submission.wait_for_step(STEPS_PER_EPOCH + 5)
    box.run(["scancel", "--signal=USR1", job])  # as SLURM does before it takes the nodes, or when the time is up
    wait_until(lambda: box.restarts(job) == 1 and box.state(job) == "PENDING", 120, "the job to be requeued")
    assert not (the_run(submission.root) / "result.json").exists()
    assert f"job {job} is requeued and goes on with the run" in submission.log(job)
    box.start_now(job)
    submission.ends_in(job, "COMPLETED")
    resumed = re.search(r"resuming \S+ after step (\d+)", submission.log(job))
    assert resumed
    assert STEPS_PER_EPOCH < int(resumed[1]) < STEPS_PER_EPOCH * EPOCHS
    assert submission.log(job).count("parameters") == 2  # once for each start: the log was kept
    assert_same(submission, undisturbed)


def test_a_killed_process_ends_the_job_and_a_second_job_is_refused(
    submission: Submission, undisturbed: Submission
) -> None:
    box, job = submission.box, submission.submit("--checkpoint_every", "5")
    submission.wait_for_step(12)
    box.run(["scontrol", "suspend", job])  # the run takes its time
    second = submission.submit()
    submission.ends_in(second, "FAILED")
    told = [line for line in submission.log(second).splitlines() if "another process is at work" in line]
    assert len(told) == 1
    assert "Traceback" not in submission.log(second)
    assert "goes on with the run" not in submission.log(second)
    box.run(["scontrol", "resume", job])

    submission.wait_for_step(20)
    os.kill(process_of(job, rank=1), signal.SIGKILL)
    box.wait(job, ["FAILED"], timeout=120)
    assert "Killed" in submission.log(job)
    assert "Submitted again, this script goes on with the run." in submission.log(job)
    again = submission.submit()
    submission.ends_in(again, "COMPLETED")
    assert "resuming" in submission.log(again)
    assert_same(submission, undisturbed)


def process_of(job: str, rank: int) -> int:
    """Return the process number of a rank of a job."""

    def is_it(process: psutil.Process) -> bool:
        try:
            environment = process.environ()
        except psutil.Error:
            return False
        ours = environment.get("SLURM_JOB_ID") == job and environment.get("SLURM_PROCID") == str(rank)
        return ours and "SLURM_STEP_NUM_TASKS" in environment and "tnqrnn" in process.cmdline()

    [found] = [process.pid for process in psutil.process_iter() if is_it(process)]
    return found


def test_a_script_is_what_slurm_accepts(submission: Submission, onebox: OneBox) -> None:
    path = submission.folder / "job.sh"
    path.write_text(script([*RUN, *JOB, "--runs", str(submission.root), "--cpus-per-process", "2"]))
    onebox.run(["bash", "-n", str(path)])
    onebox.run(["sbatch", "--test-only", str(path)])
