"""Jobs in memory: one after the other, bounded, for their owner alone, and forgotten in time."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.cluster_jobs import ClusterJobs, JobStatus, Progress
from app.domain import Clustering, ClusterMethod
from app.errors import JobNotFound, NoFace, NotReady, Overloaded

GROUPS = Clustering([], [], 1.0, None, ClusterMethod.DBSCAN, {})


def run(scenario: Callable[[ClusterJobs], Awaitable[Any]], *, max_jobs: int = 3, keep_seconds: float = 60) -> Any:
    async def inside() -> Any:
        jobs = ClusterJobs(max_jobs=max_jobs, keep_seconds=keep_seconds)
        try:
            return await scenario(jobs)
        finally:
            await jobs.close()

    return asyncio.run(inside())


async def at_once(progress: Progress) -> Clustering:
    progress(2)
    return GROUPS


async def never(progress: Progress) -> Clustering:
    await asyncio.Event().wait()
    return GROUPS


async def turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_job_ends_with_its_result() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        job = jobs.start(at_once, images=2, owner="ada")
        assert (job.status, job.result, job.expires_at) == (JobStatus.QUEUED, None, None)
        await turns()
        found = jobs.find(job.job_id, "ada")
        assert (found.status, found.result, found.images_read) == (JobStatus.DONE, GROUPS, 2)
        assert found.expires_at is not None
        assert found.expires_at > found.created_at

    run(scenario)


def test_a_job_ends_with_its_error_and_keeps_others_from_nothing() -> None:
    async def wrong(progress: Progress) -> Clustering:
        raise NoFace("none", field="image")

    async def broken(progress: Progress) -> Clustering:
        raise ZeroDivisionError

    async def scenario(jobs: ClusterJobs) -> None:
        started = [jobs.start(work, images=1, owner=None) for work in (wrong, broken, at_once)]
        await turns()
        assert [job.status for job in started] == [JobStatus.FAILED, JobStatus.FAILED, JobStatus.DONE]
        assert isinstance(started[0].error, NoFace)
        assert isinstance(started[1].error, NotReady)

    run(scenario)


def test_jobs_run_one_after_the_other() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        first, second = (jobs.start(never, images=1, owner=None) for _ in range(2))
        await turns()
        assert (first.status, second.status) == (JobStatus.RUNNING, JobStatus.QUEUED)
        jobs.delete(first.job_id, None)
        await turns()
        assert second.status is JobStatus.RUNNING

    run(scenario)


def test_no_more_wait_than_may_until_one_is_deleted() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        first, _ = (jobs.start(never, images=1, owner=None) for _ in range(2))
        with pytest.raises(Overloaded) as refusal:
            jobs.start(at_once, images=1, owner=None)
        assert refusal.value.facts["max_cluster_jobs"] == 2
        jobs.delete(first.job_id, None)
        jobs.start(at_once, images=1, owner=None)
        assert jobs.kept == 2

    run(scenario, max_jobs=2)


def test_results_that_nobody_fetches_are_in_nobodys_way() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        lost = []
        for _ in range(102):
            lost.append(jobs.start(at_once, images=1, owner="ada"))
            await turns()
        mine = jobs.start(at_once, images=1, owner="bob")
        await turns()
        assert jobs.find(mine.job_id, "bob").status is JobStatus.DONE
        assert jobs.find(lost[-1].job_id, "ada").status is JobStatus.DONE
        with pytest.raises(JobNotFound):
            jobs.find(lost[0].job_id, "ada")
        assert jobs.kept == 100

    run(scenario, max_jobs=1)


def test_a_job_is_its_owners() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        job = jobs.start(never, images=1, owner="ada")
        await turns()
        for stranger in ("bob", None):
            with pytest.raises(JobNotFound):
                jobs.find(job.job_id, stranger)
            with pytest.raises(JobNotFound):
                jobs.delete(job.job_id, stranger)
        jobs.delete(job.job_id, "ada")
        with pytest.raises(JobNotFound):
            jobs.find(job.job_id, "ada")
        await turns()
        assert job.status is JobStatus.FAILED

    run(scenario)


def test_a_job_that_has_ended_is_forgotten_in_time() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        done = jobs.start(at_once, images=1, owner=None)
        waiting = jobs.start(never, images=1, owner=None)
        await asyncio.sleep(0.05)
        with pytest.raises(JobNotFound):
            jobs.find(done.job_id, None)
        assert jobs.find(waiting.job_id, None).status is JobStatus.RUNNING
        assert jobs.kept == 1

    run(scenario, keep_seconds=0.01)


def test_closing_ends_what_has_not_ended() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        started = [jobs.start(never, images=1, owner=None) for _ in range(2)]
        await turns()
        await jobs.close()
        assert [job.status for job in started] == [JobStatus.FAILED, JobStatus.FAILED]

    run(scenario)


def test_a_job_that_failed_holds_nothing_of_its_photographs() -> None:
    class Photograph(bytearray):
        """What weak references can be had of."""

    async def scenario(jobs: ClusterJobs) -> None:
        photograph = Photograph(b"jpeg")
        held = weakref.ref(photograph)

        async def fail(image: Photograph) -> Clustering:
            try:
                image.index(b"png")
                return GROUPS
            except ValueError:
                raise NoFace("none", field="image") from None

        job = jobs.start(lambda _, image=photograph: fail(image), images=1, owner=None)  # type: ignore[misc]
        await turns()
        assert isinstance(job.error, NoFace)
        del photograph
        gc.collect()
        assert held() is None

    run(scenario)


def test_a_job_that_has_ended_is_forgotten_though_nobody_asks() -> None:
    async def scenario(jobs: ClusterJobs) -> None:
        jobs.start(at_once, images=1, owner=None)
        await asyncio.sleep(1.2)
        assert jobs.kept == 0

    run(scenario, keep_seconds=0.01)
