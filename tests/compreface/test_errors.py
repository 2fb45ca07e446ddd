"""Whatever goes wrong under /api/v1 is a message and a number, wherever it was noticed."""

import asyncio
import base64
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from app.api.problems import STATUS
from app.compreface.errors import NUMBERS, PREFIX, CompreFaceErrors
from app.keys.key import Scope
from tests.compreface.conftest import CompreFaceServer, photograph

NO_IMAGE = base64.b64encode(b"no image").decode()


@pytest.fixture
def anyone(compreface: CompreFaceServer) -> Iterator[httpx.Client]:
    """Without a key."""
    with compreface.http(None) as client:
        yield client


def test_every_code_has_a_number() -> None:
    assert NUMBERS.keys() == STATUS.keys() | {"internal"}


def test_a_caller_who_goes_away_is_no_error() -> None:
    async def scenario() -> None:
        async def leaves(scope: dict[str, object], receive: Receive, send: Send) -> None:
            raise ClientDisconnect

        async def unheard(message: Message) -> None:
            raise AssertionError("nobody is there")

        scope = {"type": "http", "method": "POST", "path": f"{PREFIX}recognition/faces", "headers": []}
        await CompreFaceErrors(leaves)(scope, pending, unheard)

    async def pending() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        asyncio.run(scenario())


def test_a_key_is_asked_for(anyone: httpx.Client) -> None:
    answer = anyone.get("/api/v1/recognition/subjects")
    assert (answer.status_code, answer.json()) == (401, {"message": "Missing header: x-api-key", "code": 20})
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["x-request-id"]


def test_a_key_that_lacks_a_scope_is_told_so(compreface: CompreFaceServer) -> None:
    with compreface.http(compreface.key(Scope.VERIFY)) as http:
        answer = http.post("/api/v1/recognition/recognize", **photograph(b"x"))
        assert (answer.status_code, answer.json()["code"]) == (403, 1)
        assert "identify" in answer.json()["message"]


def test_a_key_of_several_galleries_has_no_collection(compreface: CompreFaceServer) -> None:
    with compreface.http(compreface.key(galleries=["one", "two"])) as http:
        answer = http.get("/api/v1/recognition/subjects")
        assert (answer.status_code, answer.json()["code"]) == (403, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "recognition/faces", {"json": {"file": NO_IMAGE}}, 400, 33),
        ("POST", "recognition/faces?subject=a", {"json": {"file": NO_IMAGE}}, 400, 21),
        ("POST", "recognition/faces?subject=a", {"json": {"file": "?"}}, 400, 26),
        ("POST", "recognition/faces?subject=a", {"json": {}}, 400, 26),
        ("POST", "recognition/faces?subject=a", {"json": []}, 400, 26),
        ("POST", "recognition/faces?subject=a", {"content": b"x"}, 400, 21),
        ("POST", "recognition/faces?subject=%20", {"json": {"file": NO_IMAGE}}, 400, 26),
        ("POST", "recognition/faces?subject=a&det_prob_threshold=2", {"json": {"file": NO_IMAGE}}, 400, 26),
        ("POST", "recognition/faces?subject=a", photograph(b"\xff\xd8\xff cut short"), 400, 36),
        ("POST", "recognition/recognize?limit=-1", {"json": {"file": NO_IMAGE}}, 400, 26),
        ("POST", "recognition/recognize?prediction_count=0", {"json": {"file": NO_IMAGE}}, 400, 26),
        ("POST", "recognition/recognize?limit=many", {"json": {"file": NO_IMAGE}}, 400, 26),
        ("POST", "recognition/recognize", {"content": b"x" * 20_000_001}, 413, 36),
        ("POST", "verification/verify", {"json": {"source_image": NO_IMAGE}}, 400, 26),
        ("POST", "recognition/faces/delete", {"json": {"a": 1}}, 400, 26),
        ("POST", "recognition/faces/delete", {"content": b"[" * 100_000}, 400, 26),
        ("POST", "recognition/faces/delete", {"json": ["a"] * 1001}, 400, 26),
        ("POST", "recognition/subjects", {"json": {"subject": ""}}, 400, 26),
        ("POST", "recognition/subjects", {"json": {"subject": "a\x00b"}}, 400, 26),
        ("POST", "recognition/subjects", {"json": {"subject": "a" * 129}}, 400, 26),
        ("PUT", "recognition/subjects/nobody", {"json": {"subject": "b"}}, 404, 42),
        ("DELETE", "recognition/subjects/nobody", {}, 404, 42),
        ("DELETE", "recognition/faces/none", {}, 404, 44),
        ("GET", "recognition/faces?page=-1", {}, 400, 26),
        ("GET", "recognition/faces?size=0", {}, 400, 26),
        ("GET", "nowhere", {}, 404, 0),
        ("PATCH", "recognition/faces", {}, 405, 0),
    ],
)
def test_a_request_that_cannot_be_meant(
    http: httpx.Client, method: str, path: str, body: dict[str, object], status: int, code: int
) -> None:
    answer = http.request(method, f"/api/v1/{path}", **body)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"]


def test_elsewhere_an_error_is_a_problem_document(compreface: CompreFaceServer) -> None:
    answer = compreface.server.http.get("/model")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
