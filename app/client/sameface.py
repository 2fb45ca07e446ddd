"""`Sameface`, the client that waits.

What each method sends is said once, in app.client.calls; here is how it is sent, again where that helps.
"""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Concatenate, ParamSpec, Self, TypeVar

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


def _sent(build: Callable[P, Call[T]]) -> Callable[Concatenate["Sameface", P], T]:
    @functools.wraps(build)
    def send(self: "Sameface", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    sign(send, build)
    return send


def _sent_to_its_end(
    build: Callable[P, Call[results.Clustering | results.ClusterJob]],
) -> Callable[Concatenate["Sameface", P], results.Clustering]:
    @functools.wraps(build)
    def send(self: "Sameface", /, *args: P.args, **kwargs: P.kwargs) -> results.Clustering:
        answer = self.send(build(*args, **kwargs))
        if isinstance(answer, results.Clustering):
            return answer
        job = answer
        try:
            while not is_over(job):
                time.sleep(POLL_SECONDS)
                job = self.send(calls.cluster_job(job.job_id))
        finally:
            with suppress(SamefaceError):  # it would be forgotten later anyway, but others may need its place
                self.send(calls.delete_cluster_job(job.job_id))
        return result_of(job)

    sign(send, build)
    return send


class Sameface(Session):
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
        timeout_seconds: float = TIMEOUT_SECONDS,
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
        return _items(lambda cursor: self.gallery_page(limit=PAGE_ITEMS, cursor=cursor))

    def subjects(self, *, gallery: str = "default", prefix: str | None = None) -> Iterator[results.Subject]:
        """All subjects whose id begins with `prefix`, a page at a time; raises GalleryNotFound."""
        return _items(lambda cursor: self.subject_page(gallery=gallery, prefix=prefix, limit=PAGE_ITEMS, cursor=cursor))

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


def _items(read_page: Callable[[str | None], "Page[T]"]) -> Iterator[T]:
    cursor = None
    while True:
        page = read_page(cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
