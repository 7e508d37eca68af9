"""How jobs are grouped into SLURM arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from backends.errors import InvalidInput
from studies.engine.job import Job, Limits
from studies.engine.slurm import arrays, parse_options

GIB = 2**30


def job(name: str, seconds: float | None, size: int | None = 0, limit: float | None = None) -> Job:
    path = Path(name)
    return Job(name, print, (), path, path, path, path, Limits(limit), expected_seconds=seconds, expected_bytes=size)


def jobs_of(groups: Sequence[object]) -> list[list[str]]:
    return [[one.name for one in group.jobs] for group in groups]  # type: ignore[attr-defined]


def test_what_needs_about_as_much_is_one_array() -> None:
    small = [job(f"small {k}", 5 + k) for k in range(3)]
    large = [job(f"large {k}", 5 + k, 10 * GIB) for k in range(2)]
    long = [job("long", 7200)]
    found = arrays([*large, *small, *long], at_a_time=10)
    assert jobs_of(found) == [["small 0", "small 1", "small 2"], ["long"], ["large 0", "large 1"]]
    assert [array.gib for array in found] == [1, 1, 32]
    assert [array.workers for array in found] == [3, 1, 2]  # no more workers than jobs
    assert found[1].minutes >= 2 * 120


def test_no_more_workers_than_may_run_at_a_time() -> None:
    mixed = [job(f"{size} {seconds}", seconds, size * GIB) for size in (0, 4, 20) for seconds in (1, 500, 50_000)]
    for at_a_time in range(1, 12):
        found = arrays(mixed, at_a_time)
        assert sum(array.workers for array in found) <= at_a_time
        assert sorted(name for names in jobs_of(found) for name in names) == sorted(one.name for one in mixed)
        assert found[-1].gib == 64  # who works on a large job asks for its memory


def test_the_time_asked_for_holds_the_longest_job() -> None:
    [array] = arrays([job("a", 3000, limit=36_000), job("b", 3000, limit=36_000)], at_a_time=1)
    assert array.minutes >= 600


def test_nothing_is_asked_for_that_is_not_known() -> None:
    [array] = arrays([job("a", None, None), job("b", None, None)], at_a_time=4)
    assert array.gib is None
    assert array.workers == 2


def test_options_of_sbatch() -> None:
    assert parse_options("study", [], "local") == {}
    expected = {"slurm_additional_parameters": {"partition": "long", "mail-user": "me@here"}}
    assert parse_options("study", ["partition=long", "mail-user=me@here"], "slurm") == expected
    with pytest.raises(InvalidInput, match="got partition="):
        parse_options("study", ["partition"], "slurm")
    with pytest.raises(InvalidInput, match="no effect with --executor local"):
        parse_options("study", ["partition=long"], "local")


def test_what_is_nearly_nothing_is_as_nothing() -> None:
    assert len(arrays([job("nothing", 1, 0), job("a little", 1, 100 * 2**20)], at_a_time=4)) == 1
