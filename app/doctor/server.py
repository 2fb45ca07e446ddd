"""A running service, as a caller sees it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from app.client import Retries, Sameface
from app.doctor.finding import Finding, Verdict, ok, warning, wrong
from app.errors import AccessDenied, BadRequest, SamefaceError
from app.settings import is_loopback

_CLOCK_TOLERANCE_SECONDS = 5.0


def examine_server(url: str, api_key: str | None) -> Iterator[Finding]:
    """`server`, `transport`, `clock`, `ready` and `model`. Raises BadRequest for what is no URL."""
    try:
        client = Sameface(url, api_key=api_key, timeout_seconds=10, retries=Retries(attempts=1))
    except ValueError as error:
        raise BadRequest(f"--server: {error}") from None
    with client:
        dates: list[str] = []
        client.http.event_hooks["response"].append(lambda answer: dates.append(answer.headers.get("date", "")))
        started = time.perf_counter()
        try:
            client.live()
        except SamefaceError as error:
            yield wrong("server", error.message, "Look at the address, the network and whether the service is started.")
            return
        yield ok("server", f"{url} answers in {(time.perf_counter() - started) * 1000:.0f} ms")
        yield _transport(httpx.URL(url))
        yield _clock(dates[-1])
        yield from _readiness(client)
        yield _model(client)


def _transport(url: httpx.URL) -> Finding:
    if url.scheme == "https" or is_loopback(url.host):
        return ok("transport", "encrypted, or within this machine")
    return warning("transport", "photographs and the API key travel in clear", "Put TLS in front; docs/deployment.md.")


def _clock(date: str) -> Finding:
    try:
        ahead = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return warning("clock", "the server does not say what time it is", "A proxy may have taken the Date header.")
    if abs(ahead) > _CLOCK_TOLERANCE_SECONDS:
        return warning("clock", f"the server's differs by {ahead:.0f} s", "Keep both in time (NTP).")
    return ok("clock", "the server's is the same within seconds")


def _readiness(client: Sameface) -> Iterator[Finding]:
    ready = client.ready()
    for name, check in ready.checks.items():
        if not check.ok:
            verdict = Verdict.WARNING if ready else Verdict.WRONG
            yield Finding(name, verdict, check.detail or "it is not ok", "docs/operations.md, Health.")
    if ready.status == "ready":
        yield ok("ready", f"{len(ready.checks)} checks of the service's own are fine")


def _model(client: Sameface) -> Finding:
    try:
        card = client.model()
    except AccessDenied as error:
        return wrong("keys", error.message, "Give a valid key with --api-key or SAMEFACE_API_KEY.")
    return ok("model", f"{card.id}, sha-256 {card.sha256[:12]}; the API key is accepted or none is needed")
