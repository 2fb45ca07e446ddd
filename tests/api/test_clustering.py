"""Groups of many photographs over HTTP: a job is accepted, asked after, answered and forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.keys.key import Scope, new_key
from app.main import create_app
from app.service import FaceService
from tests.api.conftest import assert_documented
from tests.conftest import reconfigured

Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


def served(service: FaceService, scenario: Scenario) -> None:
    """All requests of a scenario in one event loop, as a server answers them."""

    async def run() -> None:
        app = create_app(service.settings)
        app.state.service = service
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as http:
            await scenario(http)
        await service.cluster_jobs.close()

    asyncio.run(run())


async def ended(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    while True:
        response = await http.get(path)
        assert_documented(response)
        assert response.status_code == 200
        job: dict[str, Any] = response.json()
        if job["status"] in ("done", "failed"):
            return job
        assert (job["result"], job["problem"], job["expires_at"]) == (None, None, None)
        await asyncio.sleep(0.05)


@pytest.fixture
def small(service: FaceService) -> FaceService:
    """A service that makes a job of three photographs or more."""
    return reconfigured(service, max_cluster_images_at_once=2, max_cluster_images=4, max_cluster_jobs=2)


def test_many_photographs_are_a_job(small: FaceService, portrait: bytes, two_faces: bytes, no_face: bytes) -> None:
    async def scenario(http: httpx.AsyncClient) -> None:
        few = await http.post("/cluster", files=[("image", portrait)] * 2)
        assert few.status_code == 200
        images = [("image", image) for image in (portrait, two_faces, no_face, b"no photograph")]
        accepted = await http.post("/cluster", files=images)
        assert_documented(accepted)
        assert accepted.status_code == 202
        job = accepted.json()
        assert (job["images"], job["images_read"], job["result"]) == (4, 0, None)
        assert accepted.headers["location"] == f"/cluster/jobs/{job['job_id']}"
        done = await ended(http, accepted.headers["location"])
        assert (done["status"], done["images_read"], done["problem"]) == ("done", 4, None)
        assert done["result"].keys() == few.json().keys()
        assert [row["status"] for row in done["result"]["images"]] == ["read", "read", "read", "rejected"]
        assert [face["image"] for face in done["result"]["groups"][0]["faces"]] == [0, 1, 1]
        deleted = await http.delete(accepted.headers["location"])
        assert_documented(deleted)
        assert (deleted.status_code, deleted.content) == (204, b"")
        gone = await http.get(accepted.headers["location"])
        assert_documented(gone)
        assert (gone.status_code, gone.json()["code"]) == (404, "job_not_found")

    served(small, scenario)


def test_a_job_that_fails_says_what_the_request_would_have_been_answered(small: FaceService) -> None:
    async def scenario(http: httpx.AsyncClient) -> None:
        accepted = await http.post("/cluster", files=[("image", b"no photograph")] * 3)
        failed = await ended(http, accepted.headers["location"])
        assert (failed["status"], failed["result"]) == ("failed", None)
        assert (failed["problem"]["status"], failed["problem"]["code"]) == (415, "unsupported_format")
        assert len(failed["problem"]["images"]) == 3
        assert failed["problem"]["request_id"] == accepted.headers["x-request-id"]

    served(small, scenario)


def test_what_can_be_refused_at_once_is(small: FaceService, portrait: bytes) -> None:
    async def scenario(http: httpx.AsyncClient) -> None:
        many = await http.post("/cluster", files=[("image", portrait)] * 5)
        assert (many.status_code, many.json()["code"]) == (400, "bad_request")
        strict = await http.post("/cluster", files=[("image", portrait)] * 3, data={"far": "1e-12"})
        assert (strict.status_code, strict.json()["code"]) == (422, "far_not_supported")
        started = [await http.post("/cluster", files=[("image", portrait)] * 3) for _ in range(3)]
        assert [answer.status_code for answer in started] == [202, 202, 503]
        assert started[2].json()["code"] == "overloaded"
        assert int(started[2].headers["retry-after"]) > 0

    served(small, scenario)


def test_a_job_is_known_to_its_own_key_alone(
    small: FaceService, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [new_key("any", [Scope.VERIFY]) for _ in range(2)]
    monkeypatch.setattr(small.keyring, "refresh", lambda: None)
    monkeypatch.setattr(small.keyring, "_keys", {key.key_id: key for key, _ in made})
    mine, other = ({"X-API-Key": str(token)} for _, token in made)

    async def scenario(http: httpx.AsyncClient) -> None:
        accepted = await http.post("/cluster", files=[("image", portrait)] * 3, headers=mine)
        path = accepted.headers["location"]
        assert (await http.get(path, headers=other)).status_code == 404
        assert (await http.delete(path, headers=other)).status_code == 404
        assert (await http.get(path, headers=mine)).status_code == 200

    served(small, scenario)
