"""`AsyncSameface`, for asyncio: `Sameface` with every method awaited."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from app.client import calls, results
from app.client.attempts import Failure, outcome_of, read
from app.client.call import Call
from app.client.errors import unreachable
from app.client.retries import Retries
from app.client.session import (
    PAGE_ITEMS,
    POLL_SECONDS,
    TIMEOUT_SECONDS,
    Page,
    Session,
    is_over,
    result_of,
    sign,
)
from app.errors import SamefaceError

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncSameface", P], Coroutine[Any, Any, T]]:
    @functools.wraps(build)
    async def send(self: "AsyncSameface", /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Paths and file objects are read on a thread, for a disk may be slow.
        return await self.send(await asyncio.to_thread(build, *args, **kwargs))

    sign(send, build)
    return send


def _awaited_to_its_end(
    build: Callable[P, Call[results.Clustering | results.ClusterJob]],
) -> Callable[Concatenate["AsyncSameface", P], Coroutine[Any, Any, results.Clustering]]:
    @functools.wraps(build)
    async def send(self: "AsyncSameface", /, *args: P.args, **kwargs: P.kwargs) -> results.Clustering:
        answer = await self.send(await asyncio.to_thread(build, *args, **kwargs))
        if isinstance(answer, results.Clustering):
            return answer
        job = answer
        try:
            while not is_over(job):
                await asyncio.sleep(POLL_SECONDS)
                job = await self.send(calls.cluster_job(job.job_id))
        finally:
            with suppress(SamefaceError):  # it would be forgotten later anyway, but others may need its place
                await self.send(calls.delete_cluster_job(job.job_id))
        return result_of(job)

    sign(send, build)
    return send


class AsyncSameface(Session):
    """`Sameface` for asyncio: every method is awaited, and lists are read with `async for`.

    async with AsyncSameface() as client:
        answers = await asyncio.gather(*(client.identify(path) for path in paths))
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        api_key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(server, api_key, timeout_seconds, retries)
        self.http = httpx.AsyncClient(**self._options, transport=transport)

    async def send(self, call: Call[T]) -> T:
        """Send a request until it is answered; raises the last failure where no attempt is left."""
        failures = 0
        while True:
            try:
                outcome = outcome_of(call, await self.http.request(**call.as_request()))
            except httpx.RequestError as error:
                outcome = Failure(unreachable(error, self.http.base_url))
            if isinstance(outcome, httpx.Response):
                return read(call, outcome)
            failures += 1
            await asyncio.sleep(outcome.wait_seconds(self.retries, failures))

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def galleries(self) -> AsyncIterator[results.Gallery]:
        """All galleries by name, a page at a time."""
        return _items_awaited(lambda cursor: self.gallery_page(limit=PAGE_ITEMS, cursor=cursor))

    def subjects(self, *, gallery: str = "default", prefix: str | None = None) -> AsyncIterator[results.Subject]:
        """All subjects whose id begins with `prefix`, a page at a time; raises GalleryNotFound."""
        return _items_awaited(
            lambda cursor: self.subject_page(gallery=gallery, prefix=prefix, limit=PAGE_ITEMS, cursor=cursor)
        )

    verify = _awaited(calls.verify)
    verify_subject = _awaited(calls.verify_subject)
    identify = _awaited(calls.identify)
    enroll = _awaited(calls.enroll)
    detect = _awaited(calls.detect)
    embed = _awaited(calls.embed)
    cluster = _awaited_to_its_end(calls.cluster)
    cluster_job = _awaited(calls.cluster_job)
    delete_cluster_job = _awaited(calls.delete_cluster_job)
    gallery_page = _awaited(calls.gallery_page)
    create_gallery = _awaited(calls.create_gallery)
    gallery = _awaited(calls.gallery)
    delete_gallery = _awaited(calls.delete_gallery)
    subject_page = _awaited(calls.subject_page)
    subject = _awaited(calls.subject)
    update_subject = _awaited(calls.update_subject)
    delete_subject = _awaited(calls.delete_subject)
    faces = _awaited(calls.faces)
    crop = _awaited(calls.crop)
    delete_face = _awaited(calls.delete_face)
    model = _awaited(calls.model)
    live = _awaited(calls.live)
    ready = _awaited(calls.ready)
    metrics = _awaited(calls.metrics)
    openapi = _awaited(calls.openapi)


async def _items_awaited(read_page: Callable[[str | None], Awaitable["Page[T]"]]) -> AsyncIterator[T]:
    cursor = None
    while True:
        page = await read_page(cursor)
        for item in page.items:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return
