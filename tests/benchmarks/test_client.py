"""The load generator against a server that answers, refuses and hangs up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.benchmarks.client import Load, closed_loop, multipart, open_loop

REQUEST = multipart("/verify", {"image1": b"one", "image2": b"other"})


@asynccontextmanager
async def answering(status: int | None, seen: list[bytes]) -> AsyncIterator[int]:
    """A server that reads whole requests and answers with a status, or hangs up; yields its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                seen.append(await reader.readexactly(len(REQUEST)))
                if status is None:
                    break
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\n{}" % status)
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def closed(status: int | None, seen: list[bytes]) -> Load:
    async with answering(status, seen) as port, answering(status, seen) as other:
        return await closed_loop([port, other], [REQUEST], 3, 0.2)


def test_every_answer_of_a_closed_loop_is_counted_and_timed() -> None:
    seen: list[bytes] = []
    load = asyncio.run(closed(200, seen))
    assert set(seen) == {REQUEST}
    assert load.statuses == {200: len(seen)}
    assert len(load.seconds) == len(seen)
    assert load.figures()["per_second"] == pytest.approx(len(seen) / load.elapsed_seconds, abs=0.01)


@pytest.mark.parametrize(("status", "counted"), [(503, 503), (None, 0)])
def test_failures_are_counted_and_neither_timed_nor_throughput(status: int | None, counted: int) -> None:
    load = asyncio.run(closed(status, []))
    assert set(load.statuses) == {counted}
    assert load.seconds == []
    assert load.figures()["per_second"] == 0.0
    assert load.figures()["p50_ms"] is None


def test_an_open_loop_sends_what_was_offered_whether_or_not_it_is_answered_in_time() -> None:
    async def opened() -> Load:
        async with answering(200, []) as port:
            return await open_loop([port], [REQUEST], per_second=200, seconds=0.25)

    assert asyncio.run(opened()).statuses == {200: 50}


def test_a_form_says_how_long_it_is() -> None:
    head, _, body = REQUEST.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert body.count(b"Content-Type: image/jpeg") == 2
