"""A worker: takes one job after the other that nobody else has taken, until all are settled.

Workers know of each other only by what lies in the folder: a job is taken by locking its claim, and settled by its
result or its failure. So there may be any number of them, on machines that share the folder, and each may be killed.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from studies.engine.job import Job, claimed
from studies.engine.process import attempt, carry_out, server


def work(
    jobs: Sequence[Job], at_a_time: int, threads: int, preload: Sequence[str], leaving: threading.Event
) -> Generator[Job, None, None]:
    """Carry out what is not settled, each job in a process of its own, and yield every job as it is settled.

    Last come those that another worker keeps. Closing the generator ends what is under way. Once `leaving` is set, a
    process that dies is no failure of its job.
    """
    processes, stopping = server(preload), threading.Event()

    def settled(job: Job) -> bool:
        return job.is_settled() or carry_out(job, threads, processes, stopping, leaving)

    left: Sequence[Job] = jobs
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            while left:
                futures = {pool.submit(settled, job): job for job in left}
                taken = []
                for future in as_completed(futures):
                    if future.result():
                        yield futures[future]
                    else:
                        taken.append(futures[future])
                if len(taken) == len(left):
                    break
                left = taken  # another round: what another worker had taken may have been left behind
        finally:
            stopping.set()
            pool.shutdown(cancel_futures=True)
    yield from left


def work_here(job: Job) -> None:
    """Carry out one job in this very process, without limits: for a debugger."""
    with claimed(job) as free:
        if free:
            attempt(job)
