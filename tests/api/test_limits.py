"""Bounds on bytes, requests and time, against small ASGI applications and no framework below them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.limits import BodyLimit, Deadline, InFlightLimit, UploadTimeout
from app.api.problems import problem_of
from app.errors import SamefaceError


class ReadsBody:
    """Reads all of the body and counts what it was given."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async for chunk in Request(scope, receive).stream():
                self.received += len(chunk)
        except SamefaceError as error:
            await problem_of(error)(scope, receive, send)
            return
        await PlainTextResponse(str(self.received))(scope, receive, send)


class Waits:
    """Answers when told to; remembers being cancelled."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.entered = asyncio.Event()
        self.cancelled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await PlainTextResponse("done")(scope, receive, send)


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


def code(response: httpx.Response) -> str:
    return str(json.loads(response.content)["code"])


def test_a_body_at_the_limit_passes() -> None:
    async def scenario() -> httpx.Response:
        async with client(BodyLimit(ReadsBody(), max_bytes=1000)) as http:
            return await http.post("/", content=chunks(10, 100))

    assert asyncio.run(scenario()).text == "1000"


def test_a_body_that_grows_over_the_limit_is_cut_off_while_it_streams() -> None:
    reader = ReadsBody()

    async def scenario() -> httpx.Response:
        async with client(BodyLimit(reader, max_bytes=1000)) as http:
            return await http.post("/", content=chunks(100, 300))

    response = asyncio.run(scenario())
    assert (response.status_code, code(response)) == (413, "image_too_large")
    assert reader.received == 900


def test_a_body_that_declares_too_much_is_refused_unread() -> None:
    reader = ReadsBody()

    async def scenario() -> httpx.Response:
        async with client(BodyLimit(reader, max_bytes=1000)) as http:
            return await http.post("/", content=b"x" * 1001)

    response = asyncio.run(scenario())
    assert (response.status_code, code(response)) == (413, "image_too_large")
    assert reader.received == 0


@pytest.mark.parametrize("declared", ["-1", "many", "٣", "1e9", ""])
def test_a_nonsensical_content_length_is_not_believed(declared: str) -> None:
    async def scenario() -> httpx.Response:
        async with client(BodyLimit(ReadsBody(), max_bytes=1000)) as http:
            headers = {"content-length": declared.encode()}
            return await http.post("/", content=chunks(20, 100), headers=headers)

    assert asyncio.run(scenario()).status_code == 413


def test_one_request_too_many_is_refused_at_once_and_the_next_is_served() -> None:
    async def scenario() -> None:
        waits = Waits()
        async with client(InFlightLimit(waits, max_requests=1)) as http:
            first = asyncio.create_task(http.get("/"))
            await waits.entered.wait()
            started = time.perf_counter()
            refused = await http.get("/")
            assert time.perf_counter() - started < 0.5
            assert (refused.status_code, code(refused)) == (503, "overloaded")
            assert refused.headers["retry-after"] == "1"
            waits.go.set()
            assert (await first).text == "done"
            assert (await http.get("/")).text == "done"

    asyncio.run(scenario())


def test_health_is_answered_under_load() -> None:
    async def scenario() -> None:
        waits = Waits()
        async with client(InFlightLimit(waits, max_requests=1)) as http:
            first = asyncio.create_task(http.get("/"))
            await waits.entered.wait()
            health = asyncio.create_task(http.get("/health/live"))
            waits.go.set()
            assert (await health).text == (await first).text == "done"

    asyncio.run(scenario())


def test_a_failed_request_frees_its_place() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    async def scenario() -> None:
        async with client(InFlightLimit(fails, max_requests=1)) as http:
            for _ in range(3):
                with pytest.raises(RuntimeError):
                    await http.get("/")

    asyncio.run(scenario())


def test_a_late_request_is_cancelled_and_answered_504() -> None:
    async def scenario() -> None:
        waits = Waits()
        async with client(Deadline(waits, seconds=0.05)) as http:
            response = await http.get("/")
        assert (response.status_code, code(response)) == (504, "deadline_exceeded")
        assert waits.cancelled

    asyncio.run(scenario())


def test_a_slow_upload_counts_against_the_deadline() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    async def scenario() -> httpx.Response:
        async with client(Deadline(ReadsBody(), seconds=0.1)) as http:
            return await http.post("/", content=slowly())

    assert asyncio.run(scenario()).status_code == 504


def test_a_timeout_of_something_else_is_not_taken_for_the_deadline() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("something else")

    async def scenario() -> None:
        async with client(Deadline(fails, seconds=10)) as http:
            with pytest.raises(TimeoutError, match="something else"):
                await http.get("/")

    asyncio.run(scenario())


def test_a_stalled_upload_is_given_up() -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)
        yield b"x"

    async def scenario() -> httpx.Response:
        async with client(UploadTimeout(ReadsBody(), idle_seconds=0.1)) as http:
            return await http.post("/", content=stalls())

    response = asyncio.run(scenario())
    assert (response.status_code, code(response)) == (504, "deadline_exceeded")


def test_a_slow_upload_is_not_a_stalled_one() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"x"
            await asyncio.sleep(0.1)

    async def scenario() -> httpx.Response:
        async with client(UploadTimeout(ReadsBody(), idle_seconds=0.5)) as http:
            return await http.post("/", content=slowly())

    assert asyncio.run(scenario()).text == "6"


def test_a_long_answer_after_a_complete_upload_is_not_cut_off() -> None:
    async def works(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        gone = asyncio.create_task(receive())
        await asyncio.sleep(0.3)
        assert not gone.done()
        gone.cancel()
        await PlainTextResponse("done")(scope, receive, send)

    async def scenario() -> httpx.Response:
        async with client(UploadTimeout(works, idle_seconds=0.1)) as http:
            return await http.post("/", content=b"x")

    assert asyncio.run(scenario()).text == "done"
