"""Groups of many photographs take longer than a request may: they are made as jobs, in the memory of this process."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app import logs
from app.domain import Clustering
from app.errors import JobNotFound, NotReady, Overloaded, SamefaceError

logger = logging.getLogger(__name__)

# Results of ended jobs that are kept at most, so that memory stays bounded.
_MAX_RESULTS = 100

# Told how many of its photographs have been read.
Progress = Callable[[int], None]
Work = Callable[[Progress], Awaitable[Clustering]]


class JobStatus(StrEnum):
    """What has become of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class ClusterJob:
    """`result` once it is done, `error` once it has failed; then it is kept until `expires_at`.

    `owner` is the id of the key that may ask for it, None where no key was needed; `request_id` is of the request
    that it was made for, under which the log has it.
    """

    owner: str | None
    images: int
    job_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: JobStatus = JobStatus.QUEUED
    images_read: int = 0
    result: Clustering | None = None
    error: SamefaceError | None = None
    expires_at: datetime | None = None
    request_id: str | None = field(default_factory=logs.request_id.get)


class ClusterJobs:
    """Runs one job after the other. Belongs to one event loop.

    At most `max_jobs` wait or run, so memory is bounded: the photographs of one are one request's. One that has ended
    has only its result, and takes nobody's place; of more than a hundred the oldest are forgotten before their time.
    A restart forgets them all.
    """

    def __init__(self, *, max_jobs: int, keep_seconds: float) -> None:
        self._max_jobs, self._keep_seconds = max_jobs, keep_seconds
        self._jobs: dict[str, ClusterJob] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    def start(self, work: Work, *, images: int, owner: str | None) -> ClusterJob:
        """Accept a job. Raises Overloaded where there are as many as may be."""
        self._forget_expired()
        under_way = sum(job.expires_at is None for job in self._jobs.values())
        if under_way >= self._max_jobs:
            raise Overloaded(
                f"{under_way} jobs are waiting; try again later, or send fewer images",
                max_cluster_jobs=self._max_jobs,
            )
        job = ClusterJob(owner, images)
        self._jobs[job.job_id] = job
        task = asyncio.get_running_loop().create_task(self._run(job, work), name=f"cluster job {job.job_id}")
        self._tasks[job.job_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.job_id, None))
        return job

    def find(self, job_id: str, owner: str | None) -> ClusterJob:
        """A job of this owner. Raises JobNotFound, also for somebody else's."""
        self._forget_expired()
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise JobNotFound(
                "there is no such job here: it has expired, was deleted, or was lost in a restart", field="job_id"
            )
        return job

    def delete(self, job_id: str, owner: str | None) -> None:
        """Forget a job, and end it if it has not. Raises JobNotFound."""
        job = self.find(job_id, owner)
        del self._jobs[job.job_id]
        if task := self._tasks.pop(job.job_id, None):
            task.cancel()

    async def close(self) -> None:
        """End every job that has not finished, and wait until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def kept(self) -> int:
        """Jobs that can be asked for."""
        return len(self._jobs)

    async def _run(self, job: ClusterJob, work: Work) -> None:
        def progress(images_read: int) -> None:
            job.images_read = images_read

        try:
            async with self._turn:
                job.status = JobStatus.RUNNING
                job.result = await work(progress)
        except SamefaceError as error:
            job.error = _alone(error)
        except asyncio.CancelledError:
            job.error = NotReady("the service was stopped before the job was done")
            raise
        except Exception:
            logger.exception("a cluster job failed unexpectedly")
            job.error = NotReady("the job failed for a reason that is the service's own; its log has it")
        finally:
            job.status = JobStatus.DONE if job.result is not None else JobStatus.FAILED
            job.expires_at = datetime.now(UTC) + timedelta(seconds=self._keep_seconds)
            # Nobody may ask for it, or for another one, ever again.
            asyncio.get_running_loop().call_later(self._keep_seconds + 1, self._forget_expired)

    def _forget_expired(self) -> None:
        now = datetime.now(UTC)
        ends = sorted((job.expires_at, job.job_id) for job in self._jobs.values() if job.expires_at is not None)
        for rank, (expires_at, job_id) in enumerate(reversed(ends)):
            if rank >= _MAX_RESULTS or expires_at <= now:
                del self._jobs[job_id]


def _alone(error: SamefaceError) -> SamefaceError:
    """Without where it was raised and what led to it: those frames hold the photographs."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
