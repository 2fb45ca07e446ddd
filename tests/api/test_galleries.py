"""Several galleries side by side: made, listed, looked at and erased over HTTP."""

import asyncio
from uuid import uuid4

import pytest

from app.service import FaceService
from tests.api.conftest import Client
from tests.api.test_routes import assert_problem


def test_a_gallery_is_made_used_and_erased(client: Client, portrait: bytes) -> None:
    name = f"g-{uuid4().hex}"
    made = client.post("/galleries", json={"name": name})
    assert made.status_code == 201
    assert made.json() == {"name": name, "created_at": made.json()["created_at"], "subjects": 0, "faces": 0}
    assert client.post("/galleries", data={"name": name}, files={"x": ("", b"")}).status_code == 400
    again = client.post("/galleries", json={"name": name})
    assert (again.status_code, again.json()) == (200, made.json())

    form = {"subject_id": "a", "gallery": name}
    assert client.post("/gallery/enroll", files={"image": portrait}, data=form).status_code == 201
    assert client.get(f"/galleries/{name}").json() == made.json() | {"subjects": 1, "faces": 1}

    erased = client.request("DELETE", f"/galleries/{name}")
    assert erased.status_code == 200
    assert erased.json()["erased"] == {"subjects": 1, "faces": 1}
    # Not found by the index either, which is what identification asks.
    response = client.post("/identify", files={"image": portrait}, data={"gallery": name})
    assert_problem(response, 404, "gallery_not_found", "gallery")
    for method in ("GET", "DELETE"):
        assert_problem(client.request(method, f"/galleries/{name}"), 404, "gallery_not_found", "gallery")


def test_galleries_in_pages(client: Client, service: FaceService) -> None:
    for i in range(3):
        service.store.create_gallery(f"page-{i}")
    names: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/galleries", params=query).json()
        assert len(answer["items"]) <= 2
        names += [gallery["name"] for gallery in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert names == [gallery.name for gallery in service.store.galleries()]
    assert {"page-0", "page-1", "page-2", "default"} <= set(names)


@pytest.mark.parametrize("name", ["", "a b", "../etc", "a\x00", "a" * 65, "é", None, 3])
def test_a_name_that_no_gallery_can_have(client: Client, name: object) -> None:
    assert_problem(client.post("/galleries", json={"name": name}), 400, "bad_request", "name")


@pytest.mark.parametrize("path", ["/galleries/a%20b", "/galleries/a%2Fb", "/galleries/%00", f"/galleries/{'a' * 65}"])
def test_a_path_that_names_no_gallery(client: Client, path: str) -> None:
    assert_problem(client.get(path), 400, "bad_request", "gallery")


def test_of_those_who_make_a_gallery_at_once_one_is_told_so(service: FaceService) -> None:
    async def at_once(name: str) -> list[bool]:
        made = await asyncio.gather(*(service.records.create_gallery(name) for _ in range(6)))
        return [created for _, created in made]

    assert sorted(asyncio.run(at_once(f"g-{uuid4().hex}"))) == [False] * 5 + [True]
