"""Bounds on what a request may cost, as plain ASGI middleware: they act before a form is parsed.

FastAPI reads a whole form before any dependency runs, and Starlette bounds the fields of a form but not its files,
so neither is the place to count bytes.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem_of
from app.errors import DeadlineExceeded, ImageTooLarge, Overloaded

# How the service is doing must be answered under load too.
_ALWAYS_ANSWERED = ("/health/", "/metrics")


class InFlightLimit:
    """Answers 503 `overloaded` at once when `max_requests` are being worked on; health and metrics are exempt."""

    def __init__(self, app: ASGIApp, max_requests: int) -> None:
        self._app = app
        self._max_requests = max_requests
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS_ANSWERED):
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._max_requests:
            await problem_of(self._refusal())(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _refusal(self) -> Overloaded:
        return Overloaded(
            f"{self._in_flight} requests are being worked on; try again shortly",
            max_requests_in_flight=self._max_requests,
        )


class Deadline:
    """Cancels a request after `seconds`, its upload included, and answers 504; queued work is dropped."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                await self._app(scope, receive, answer.send)
        except TimeoutError:
            if not deadline.expired() or answer.started:
                raise
            await problem_of(self._refusal())(scope, receive, send)

    def _refusal(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"the request took longer than {self._seconds:g} s", request_deadline_seconds=self._seconds
        )


class UploadTimeout:
    """Answers 504 when nothing of a body comes for `idle_seconds`, so that a stalled upload gives its place back."""

    def __init__(self, app: ASGIApp, idle_seconds: float) -> None:
        self._app = app
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        complete = False

        async def in_time() -> Message:
            nonlocal complete
            if complete:  # what comes now is that the caller has gone, or nothing
                return await receive()
            try:
                async with asyncio.timeout(self._idle_seconds):
                    message = await receive()
            except TimeoutError:
                raise self._refusal() from None
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, in_time, send)

    def _refusal(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"nothing of the body came for {self._idle_seconds:g} s", upload_idle_seconds=self._idle_seconds
        )


class BodyLimit:
    """Answers 413 when a body has, or says that it has, more than `max_bytes`; the rest of it is not read."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared_bytes(scope) > self._max_bytes:
            await problem_of(self._refusal())(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, counted, send)

    def _refusal(self) -> ImageTooLarge:
        return ImageTooLarge(
            f"the request body has more than {self._max_bytes} bytes", max_request_bytes=self._max_bytes
        )


class _Answer:
    """Passes messages on and remembers whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        self.started = self.started or message["type"] == "http.response.start"
        await self._send(message)


def _declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0
