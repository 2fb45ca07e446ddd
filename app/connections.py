"""Connections that end when a request does not begin in earnest: uvicorn itself waits for headers for ever."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_REFUSAL = "HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHeaders(HttpToolsProtocol):
    """Closes a connection whose request headers are not whole in time (408, RFC 9110 section 15.5.9) or too many (431).

    The time begins with the connection, or with the first byte after an answer; how long a connection may be silent
    between requests is `timeout_keep_alive`. One that sends nothing at all is closed without a word. Headers that come
    while an earlier request is answered count, and so do trailers, which follow a chunked body (RFC 9112, section
    7.1.2).
    """

    header_timeout_seconds: ClassVar[float] = 10.0
    max_header_bytes: ClassVar[int] = 65_536

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._timer: asyncio.TimerHandle | None = None
        self._in_headers = self._in_body = self._refused = False
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        # After an answer: the next headers, or the rest of a body that was refused; before it, headers of the next one.
        idle = self.cycle is not None and self.cycle.response_complete
        if self._timer is None and (idle or self._in_headers):
            self._start_timer()
        if self._timer is not None and not self._in_body:
            # What was received before is all header; of `data`, a part may be the body already.
            if self._header_bytes > self.max_header_bytes:
                self._refuse("431 Request Header Fields Too Large")
                return
            self._header_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._field_bytes = 0
        self._in_headers = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._field_bytes += len(name) + len(value)
        if self._field_bytes > self.max_header_bytes:
            self._refuse("431 Request Header Fields Too Large")
        elif not self._refused:
            super().on_header(name, value)

    # What is refused is not worked on, though the rest of it is parsed: it may have come in the same piece.
    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_headers, self._in_body = False, True
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_timer()
        self._in_body = False
        if not self._refused:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._header_bytes = 0
        self._timer = self.loop.call_later(self.header_timeout_seconds, self._timed_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        if self._header_bytes:
            self._refuse("408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: str) -> None:
        self._stop_timer()
        answering = self.cycle is not None and not self.cycle.response_complete
        if not (answering or self._in_body or self._refused):  # into an answer, or after it, nothing can be written
            self.transport.write(_REFUSAL.format(status).encode("ascii"))
        self._refused = True
        self.transport.close()


def bounded_headers(header_timeout_seconds: float, max_header_bytes: int) -> type[BoundedHeaders]:
    """The protocol under these bounds, for uvicorn's `http`."""
    bounds = {"header_timeout_seconds": header_timeout_seconds, "max_header_bytes": max_header_bytes}
    return type("BoundedHeaders", (BoundedHeaders,), bounds)
