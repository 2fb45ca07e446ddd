"""Request ids, the log line, and the answer of last resort."""

import asyncio
import json
import logging

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from app import logs
from app.api.context import RequestContext
from app.logs import JsonFormatter
from tests.api.conftest import Client


async def answers_its_request_id(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(str(logs.request_id.get()))(scope, receive, send)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("a secret of the implementation")


def get(app: object, **headers: str) -> httpx.Response:
    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(RequestContext(app))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.get("/", headers=headers)

    return asyncio.run(scenario())


def test_a_callers_request_id_is_kept() -> None:
    response = get(answers_its_request_id, **{"X-Request-ID": "order-66.a:b_c"})
    assert response.text == response.headers["x-request-id"] == "order-66.a:b_c"


@pytest.mark.parametrize("given", ["", "a b", 'x","level":"error', "é", "x" * 129])
def test_a_request_id_that_could_spoil_a_log_is_replaced(given: str) -> None:
    response = get(answers_its_request_id, **{"X-Request-ID": given.encode("latin-1")})  # type: ignore[arg-type]
    assert response.headers["x-request-id"] != given
    assert len(response.text) == 32


def test_every_request_has_an_id_of_its_own() -> None:
    assert get(answers_its_request_id).text != get(answers_its_request_id).text


def test_a_caller_who_goes_away_is_no_failure_of_the_service(caplog: pytest.LogCaptureFixture) -> None:
    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def scenario() -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError("nobody is there")

        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await RequestContext(reads)(scope, receive, send)

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    [record] = caplog.records
    assert (record.levelname, record.facts["status"]) == ("INFO", 499)  # type: ignore[attr-defined]


def test_an_unexpected_failure_is_a_500_problem_that_keeps_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    response = get(fails, **{"X-Request-ID": "abc"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == "abc"
    document = response.json()
    assert (document["code"], document["request_id"]) == ("internal", "abc")
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert "a secret of the implementation" in caplog.text


def test_the_log_line_is_json_with_the_request_id_and_without_the_path() -> None:
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "request of %s", ("me",), None)
    record.facts = {"status": 200}
    token = logs.request_id.set("abc")
    try:
        line = json.loads(JsonFormatter().format(record))
    finally:
        logs.request_id.reset(token)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "logger": "app", "message": "request of me", "request_id": "abc", "status": 200}


def test_each_request_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    get(answers_its_request_id)
    lines = [record for record in caplog.records if record.message == "request"]
    assert [getattr(line, "facts", {})["status"] for line in lines] == [200]


@pytest.mark.parametrize("path", ["/gallery/subjects", "/galleries", "/model", "/gallery/subjects/nobody"])
def test_no_cache_keeps_what_is_answered_about_people(client: Client, path: str) -> None:
    assert client.get(path).headers["cache-control"] == "no-store"
