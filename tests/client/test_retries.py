"""Requests are repeated where that helps, as late as the server asks, and under the same Idempotency-Key."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.client import (
    AsyncSameface,
    BadRequest,
    DeadlineExceeded,
    NotReady,
    Overloaded,
    RateLimited,
    Retries,
    Sameface,
    UnexpectedAnswer,
    Unreachable,
)
from tests.client.conftest import answer, scripted

ALIVE = answer(200, b'{"status": "alive"}')
QUICK = Retries(attempts=3, base_seconds=0.01)
ENROLLED = answer(
    201,
    json.dumps(
        {
            "subject_id": "ada",
            "created": True,
            "indexed": True,
            "revision": 2,
            "faces": [],
            "duplicates": [],
            "took_ms": {},
        }
    ).encode(),
)


def problem(status: int, code: str, *, revision: int | None = None, **headers: str) -> bytes:
    document: dict[str, object] = {} if revision is None else {"revision": revision}
    document |= {
        "type": "about:blank",
        "title": code,
        "status": status,
        "code": code,
        "detail": "why",
        "request_id": "r",
    }
    return answer(status, json.dumps(document).encode(), content_type="application/problem+json", **headers)


BUSY = problem(503, "overloaded", retry_after="0")
LIMITED = problem(429, "rate_limited", retry_after="1")


@pytest.mark.parametrize("failure", [BUSY, problem(504, "deadline_exceeded"), answer(502), b""])
def test_what_may_succeed_later_is_tried_again(failure: bytes) -> None:
    with scripted(failure, failure, ALIVE) as server, Sameface(server.url, retries=QUICK) as client:
        assert client.live().status == "alive"
    assert len(server.requests) == 3


def test_an_asynchronous_client_tries_again_too() -> None:
    async def scenario(url: str) -> str:
        async with AsyncSameface(url, retries=QUICK) as client:
            return (await client.live()).status

    with scripted(b"", BUSY, ALIVE) as server:
        assert asyncio.run(scenario(server.url)) == "alive"
    assert len(server.requests) == 3


def test_the_last_failure_is_raised() -> None:
    with (
        scripted(BUSY, BUSY, BUSY) as server,
        Sameface(server.url, retries=QUICK) as client,
        pytest.raises(Overloaded) as raised,
    ):
        client.live()
    assert len(server.requests) == 3
    assert raised.value.problem is not None
    assert raised.value.problem["request_id"] == "r"


def test_an_erasure_that_is_stored_is_not_asked_for_again() -> None:
    late = problem(503, "not_ready", revision=7)
    with (
        scripted(late, problem(404, "subject_not_found")) as server,
        Sameface(server.url, retries=QUICK) as client,
        pytest.raises(NotReady) as raised,
    ):
        client.delete_subject("ada")
    assert len(server.requests) == 1
    assert raised.value.facts["revision"] == 7


def test_a_job_gives_its_place_back_once_it_is_over(portrait: bytes) -> None:
    job = {"job_id": "j", "images": 1, "images_read": 1, "created_at": "2026-11-22T09:30:00Z", "expires_at": None}
    running = answer(202, json.dumps(job | {"status": "running", "result": None, "problem": None}).encode())
    failure = {"code": "deadline_exceeded", "detail": "why"}
    failed = answer(200, json.dumps(job | {"status": "failed", "result": None, "problem": failure}).encode())

    async def scenario(url: str) -> None:
        async with AsyncSameface(url, retries=QUICK) as client:
            await client.cluster(portrait)

    def wait(url: str) -> None:
        with Sameface(url, retries=QUICK) as client:
            client.cluster(portrait)

    for ask in (wait, lambda url: asyncio.run(scenario(url))):
        with scripted(running, failed, answer(204, b"")) as server:
            with pytest.raises(DeadlineExceeded):
                ask(server.url)
            assert [request.split(b" ")[0] for request in server.requests] == [b"POST", b"GET", b"DELETE"]


def test_a_job_that_nobody_waits_for_any_more_gives_its_place_back(portrait: bytes) -> None:
    job = {"job_id": "j", "images": 1, "images_read": 0, "created_at": "2026-11-22T09:30:00Z", "expires_at": None}
    running = json.dumps(job | {"status": "running", "result": None, "problem": None}).encode()

    async def scenario(url: str) -> None:
        async with AsyncSameface(url, retries=QUICK) as client:
            await asyncio.wait_for(client.cluster(portrait), 0.3)

    with scripted(answer(202, running), answer(204, b"")) as server:
        with pytest.raises(TimeoutError):
            asyncio.run(scenario(server.url))
        assert [request.split(b" ")[0] for request in server.requests] == [b"POST", b"DELETE"]


def test_what_the_caller_must_mend_is_not_repeated() -> None:
    with (
        scripted(problem(400, "bad_request"), ALIVE) as server,
        Sameface(server.url, retries=QUICK) as client,
        pytest.raises(BadRequest, match="why"),
    ):
        client.live()
    assert len(server.requests) == 1


def test_retry_after_is_waited_for() -> None:
    started = time.monotonic()
    with scripted(LIMITED, ALIVE) as server, Sameface(server.url, retries=QUICK) as client:
        client.live()
    assert time.monotonic() - started >= 1.0


def test_a_server_that_asks_for_too_long_is_taken_at_its_word() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    late = problem(429, "rate_limited", retry_after=date)
    with scripted(late, ALIVE) as server, Sameface(server.url, retries=QUICK) as client, pytest.raises(RateLimited):
        client.live()
    assert len(server.requests) == 1


def test_a_repeated_enrolment_has_the_same_idempotency_key_and_another_one_has_its_own(portrait: bytes) -> None:
    with scripted(b"", BUSY, ENROLLED, ENROLLED) as server, Sameface(server.url, retries=QUICK) as client:
        client.enroll("ada", portrait)
        client.enroll("ada", portrait)
    keys = server.header("Idempotency-Key")
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert server.requests[0].count(portrait) == server.requests[2].count(portrait) == 1


def test_a_key_of_the_callers_is_used(portrait: bytes) -> None:
    with scripted(ENROLLED) as server, Sameface(server.url) as client:
        client.enroll("ada", portrait, idempotency_key="mine")
    assert server.header("Idempotency-Key") == ["mine"]


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with Sameface("http://127.0.0.1:1", retries=QUICK) as client, pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        client.live()


def test_a_silent_server_is_unreachable_after_the_timeout() -> None:
    twice = Retries(attempts=2, base_seconds=0)
    with (
        scripted(b"") as server,  # its second connection is accepted by the kernel and never answered
        Sameface(server.url, timeout_seconds=0.2, retries=twice) as client,
        pytest.raises(Unreachable),
    ):
        client.live()


@pytest.mark.parametrize(
    "strange",
    [answer(200, b"<html>"), answer(200, b"[]"), answer(404, b"<html>", content_type="text/html"), answer(301)],
    ids=["not json", "another shape", "a web server's 404", "a redirect"],
)
def test_an_answer_that_is_not_of_sameface_is_told_as_such(strange: bytes) -> None:
    with scripted(strange) as server, Sameface(server.url) as client, pytest.raises(UnexpectedAnswer, match="address"):
        client.live()


def test_waits_grow_and_stay_bounded() -> None:
    retries = Retries(attempts=100, base_seconds=1, max_seconds=8)
    waits = [retries.wait_seconds(failures) for failures in range(1, 100)]
    assert all(wait is not None and 0 <= wait <= min(8, 2**failures) for failures, wait in enumerate(waits, start=1))
    assert max(wait for wait in waits if wait is not None) > 4
    assert retries.wait_seconds(100) is None


def test_no_attempt_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Retries(attempts=0)
