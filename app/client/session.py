"""What both clients share: which server, how its methods are described, and when a job has its result."""

import inspect
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import httpx

from app import __version__
from app.client.errors import error_in
from app.client.results import Clustering, ClusterJob
from app.client.retries import Retries

Item = TypeVar("Item", covariant=True)

DEFAULT_SERVER = "http://127.0.0.1:8000"
SERVER_VARIABLE = "SAMEFACE_SERVER"
API_KEY_VARIABLE = "SAMEFACE_API_KEY"

# The service itself answers within 30 s unless it is configured otherwise.
TIMEOUT_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
PAGE_ITEMS = 1000
_HEADER_TEXT = re.compile(r"[\x21-\x7e]*")
POLL_SECONDS = 0.5


class Page(Protocol[Item]):
    """What lists come in."""

    @property
    def items(self) -> Sequence[Item]: ...
    @property
    def next_cursor(self) -> str | None: ...


class Session:
    """What both clients know of the server."""

    def __init__(
        self, server: str | None, api_key: str | None, timeout_seconds: float, retries: Retries | None
    ) -> None:
        url = server or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the server {url!r} is no URL; one is written like https://faces.example:8443")
        try:
            httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"the server {url!r} is no URL: {error}") from None
        key = (api_key or os.environ.get(API_KEY_VARIABLE) or "").strip()
        if not _HEADER_TEXT.fullmatch(key):  # a key is never part of what is said about it
            raise ValueError("the API key has characters that no key has; is it a line of a file?")
        self.retries = retries or Retries()
        self._options: dict[str, Any] = {
            "base_url": url,
            "timeout": httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            "headers": {"User-Agent": f"sameface/{__version__}"} | ({"X-API-Key": key} if key else {}),
        }


def sign(send: Callable[..., Any], build: Callable[..., Any]) -> None:
    """What `help` shows: the parameters of `build` after `self`."""
    signature = inspect.signature(build)
    myself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [myself, *signature.parameters.values()]
    send.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]


def is_over(job: ClusterJob) -> bool:
    """Whether there is nothing to wait for any more."""
    return job.problem is not None or job.result is not None


def result_of(job: ClusterJob) -> Clustering:
    """The result of a job that is over; raises what it failed with."""
    if job.problem is not None:
        raise error_in(job.problem)
    if job.result is None:
        raise ValueError(f"the job {job.job_id} is not over")
    return job.result
