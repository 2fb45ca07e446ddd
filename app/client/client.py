"""`Sameface` and `AsyncSameface`: the same methods, one waiting and one awaited.

What each method sends is said once, in app.client.calls; here is how it is sent, again where that helps.
"""

import asyncio
import functools
import inspect
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import httpx

from app import __version__
from app.client import calls, results
from app.client.attempts import Failure, outcome_of, read
from app.client.calls import Call
from app.client.errors import error_in, unreachable
from app.client.retries import Retries

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item", covariant=True)

DEFAULT_SERVER = "http://127.0.0.1:8000"
SERVER_VARIABLE = "SAMEFACE_SERVER"
API_KEY_VARIABLE = "SAMEFACE_API_KEY"

# The service itself answers within 30 s unless it is configured otherwise.
_TIMEOUT_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
_PAGE_ITEMS = 1000
_POLL_SECONDS = 0.5


class Page(Protocol[Item]):
    """What lists come in."""

    @property
    def items(self) -> Sequence[Item]: ...
    @property
    def next_cursor(self) -> str | None: ...


def _sign(send: Callable[..., Any], build: Callable[..., Any]) -> None:
    """What `help` shows: the parameters of `build` after `self`."""
    signature = inspect.signature(build)
    myself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [myself, *signature.parameters.values()]
    send.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]


def _sent(build: Callable[P, Call[T]]) -> Callable[Concatenate["Sameface", P], T]:
    @functools.wraps(build)
    def send(self: "Sameface", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    _sign(send, build)
    return send


def _awaited(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncSameface", P], Coroutine[Any, Any, T]]:
    @functools.wraps(build)
    async def send(self: "AsyncSameface", /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Paths and file objects are read on a thread, for a disk may be slow.
        return await self.send(await asyncio.to_thread(build, *args, **kwargs))

    _sign(send, build)
    return send


def _sent_to_its_end(
    build: Callable[P, Call[results.Clustering | results.ClusterJob]],
) -> Callable[Concatenate["Sameface", P], results.Clustering]:
    @functools.wraps(build)
    def send(self: "Sameface", /, *args: P.args, **kwargs: P.kwargs) -> results.Clustering:
        answer = self.send(build(*args, **kwargs))
        while not (result := _result(answer)):
            time.sleep(_POLL_SECONDS)
            answer = self.send(calls.cluster_job(_job_id(answer)))
        return result

    _sign(send, build)
    return send


def _awaited_to_its_end(
    build: Callable[P, Call[results.Clustering | results.ClusterJob]],
) -> Callable[Concatenate["AsyncSameface", P], Coroutine[Any, Any, results.Clustering]]:
    @functools.wraps(build)
    async def send(self: "AsyncSameface", /, *args: P.args, **kwargs: P.kwargs) -> results.Clustering:
        answer = await self.send(await asyncio.to_thread(build, *args, **kwargs))
        while not (result := _result(answer)):
            await asyncio.sleep(_POLL_SECONDS)
            answer = await self.send(calls.cluster_job(_job_id(answer)))
        return result

    _sign(send, build)
    return send


def _result(answer: results.Clustering | results.ClusterJob) -> results.Clustering | None:
    """None while the job has not ended; raises what it failed with."""
    if isinstance(answer, results.Clustering):
        return answer
    if answer.problem is not None:
        raise error_in(answer.problem)
    return answer.result


def _job_id(answer: results.Clustering | results.ClusterJob) -> str:
    assert isinstance(answer, results.ClusterJob)  # noqa: S101 - a Clustering is a result
    return answer.job_id


class _Session:
    """What both clients know of the server."""

    def __init__(
        self, server: str | None, api_key: str | None, timeout_seconds: float, retries: Retries | None
    ) -> None:
        url = server or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the server {url!r} is no URL; one is written like https://faces.example:8443")
        key = api_key or os.environ.get(API_KEY_VARIABLE)
        self.retries = retries or Retries()
        self._options: dict[str, Any] = {
            "base_url": url,
            "timeout": httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            "headers": {"User-Agent": f"sameface/{__version__}"} | ({"X-API-Key": key} if key else {}),
        }


class Sameface(_Session):
    """A client that waits. Thread-safe; to be closed, or used in a `with`.

        with Sameface("http://127.0.0.1:8000", api_key="sameface_...") as client:
            print(client.verify("one.jpg", "other.jpg").distance)

    `server` and `api_key` are read from SAMEFACE_SERVER and SAMEFACE_API_KEY where they are not given. An image is a
    path, the bytes of a file, or a file object. Methods raise the exceptions of `app.client`: what the server answered
    (`problem`), Unreachable after the last attempt, or UnexpectedAnswer. `timeout_seconds` bounds every attempt.
    `transport` is httpx's, for a proxy or certificates of your own.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        api_key: str | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(server, api_key, timeout_seconds, retries)
        self.http = httpx.Client(**self._options, transport=transport)

    def send(self, call: Call[T]) -> T:
        """Send a request until it is answered; raises the last failure where no attempt is left."""
        failures = 0
        while True:
            try:
                outcome = outcome_of(call, self.http.request(**call.as_request()))
            except httpx.RequestError as error:
                outcome = Failure(unreachable(error, self.http.base_url))
            if isinstance(outcome, httpx.Response):
                return read(call, outcome)
            failures += 1
            time.sleep(outcome.wait_seconds(self.retries, failures))

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def galleries(self) -> Iterator[results.Gallery]:
        """All galleries by name, a page at a time."""
        return _items(lambda cursor: self.gallery_page(limit=_PAGE_ITEMS, cursor=cursor))

    def subjects(self, *, gallery: str = "default", prefix: str | None = None) -> Iterator[results.Subject]:
        """All subjects whose id begins with `prefix`, a page at a time; raises GalleryNotFound."""
        return _items(
            lambda cursor: self.subject_page(gallery=gallery, prefix=prefix, limit=_PAGE_ITEMS, cursor=cursor)
        )

    verify = _sent(calls.verify)
    verify_subject = _sent(calls.verify_subject)
    identify = _sent(calls.identify)
    enroll = _sent(calls.enroll)
    detect = _sent(calls.detect)
    embed = _sent(calls.embed)
    cluster = _sent_to_its_end(calls.cluster)
    cluster_job = _sent(calls.cluster_job)
    delete_cluster_job = _sent(calls.delete_cluster_job)
    gallery_page = _sent(calls.gallery_page)
    create_gallery = _sent(calls.create_gallery)
    gallery = _sent(calls.gallery)
    delete_gallery = _sent(calls.delete_gallery)
    subject_page = _sent(calls.subject_page)
    subject = _sent(calls.subject)
    update_subject = _sent(calls.update_subject)
    delete_subject = _sent(calls.delete_subject)
    faces = _sent(calls.faces)
    crop = _sent(calls.crop)
    delete_face = _sent(calls.delete_face)
    model = _sent(calls.model)
    live = _sent(calls.live)
    ready = _sent(calls.ready)
    metrics = _sent(calls.metrics)
    openapi = _sent(calls.openapi)


class AsyncSameface(_Session):
    """`Sameface` for asyncio: every method is awaited, and lists are read with `async for`.

    async with AsyncSameface() as client:
        answers = await asyncio.gather(*(client.identify(path) for path in paths))
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        api_key: str | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
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
        return _items_awaited(lambda cursor: self.gallery_page(limit=_PAGE_ITEMS, cursor=cursor))

    def subjects(self, *, gallery: str = "default", prefix: str | None = None) -> AsyncIterator[results.Subject]:
        """All subjects whose id begins with `prefix`, a page at a time; raises GalleryNotFound."""
        return _items_awaited(
            lambda cursor: self.subject_page(gallery=gallery, prefix=prefix, limit=_PAGE_ITEMS, cursor=cursor)
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


def _items(read_page: Callable[[str | None], "Page[T]"]) -> Iterator[T]:
    cursor = None
    while True:
        page = read_page(cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


async def _items_awaited(read_page: Callable[[str | None], Awaitable["Page[T]"]]) -> AsyncIterator[T]:
    cursor = None
    while True:
        page = await read_page(cursor)
        for item in page.items:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return
