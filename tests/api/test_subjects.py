"""Who is enrolled: listed in pages, read, changed and erased over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest

from app.service import FaceService
from tests.api.conftest import Client
from tests.api.test_routes import assert_problem

NO_FACE_ID = "6f1e7c1c-3b0e-4b43-9c55-3d7b5d2f7c11"


def enroll(client: Client, gallery: str, subject_id: str, *images: bytes, **fields: str) -> dict[str, Any]:
    files = [("image", image) for image in images]
    data = {"subject_id": subject_id, "gallery": gallery, **fields}
    answer: dict[str, Any] = client.post("/gallery/enroll", files=files, data=data).json()
    return answer


def subject_path(subject_id: str, rest: str = "", **query: str) -> str:
    return f"/gallery/subjects/{quote(subject_id, safe='')}{rest}?" + "&".join(f"{k}={v}" for k, v in query.items())


def all_pages(client: Client, **query: str) -> list[str]:
    """The ids of every page, one after the other."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get("/gallery/subjects", params=query | cursor).json()
        assert len(answer["items"]) <= int(query.get("limit", 100))
        ids += [subject["subject_id"] for subject in answer["items"]]
        if answer["next_cursor"] is None:
            return ids
        cursor = {"cursor": answer["next_cursor"]}


def add_subjects(service: FaceService, gallery: str, *ids: str) -> None:
    for subject_id in ids:
        service.store.add(gallery, subject_id, [])


class TestListing:
    IDS = ("A", "a", "a/b", "aa", "ab", "b", "é", "日本", "\U0001d4b3")

    @pytest.mark.parametrize("limit", ["1", "2", "9", "100"])
    def test_pages_are_the_whole_list_in_order(
        self, client: Client, service: FaceService, gallery: str, limit: str
    ) -> None:
        add_subjects(service, gallery, *self.IDS)
        assert all_pages(client, gallery=gallery, limit=limit) == sorted(self.IDS)

    def test_a_prefix(self, client: Client, service: FaceService, gallery: str) -> None:
        add_subjects(service, gallery, *self.IDS)
        assert all_pages(client, gallery=gallery, limit="2", prefix="a") == ["a", "a/b", "aa", "ab"]
        assert all_pages(client, gallery=gallery, prefix="%") == []

    def test_a_subject_that_goes_between_two_pages_leaves_no_gap(
        self, client: Client, service: FaceService, gallery: str
    ) -> None:
        add_subjects(service, gallery, "a", "b", "c", "d")
        query = {"gallery": gallery, "limit": "2"}
        first = client.get("/gallery/subjects", params=query).json()
        service.store.remove_subject(gallery, "b")
        rest = client.get("/gallery/subjects", params=query | {"cursor": first["next_cursor"]}).json()
        assert [subject["subject_id"] for subject in rest["items"]] == ["c", "d"]

    def test_a_damaged_or_foreign_cursor(self, client: Client, service: FaceService, gallery: str) -> None:
        add_subjects(service, gallery, "a", "b", "c")
        query = {"gallery": gallery, "limit": "2"}
        cursor = client.get("/gallery/subjects", params=query).json()["next_cursor"]
        assert "b" not in cursor or len(cursor) > 8  # opaque
        flipped = ("A" if cursor[0] != "A" else "B") + cursor[1:]
        for bad in ("", "x", "=", "é", cursor[:-1], cursor + "A", cursor + "=", flipped, "../", "x" * 2000, "\x00"):
            response = client.get("/gallery/subjects", params=query | {"cursor": bad})
            assert_problem(response, 400, "bad_request", "cursor")
        response = client.get("/gallery/subjects", params=query | {"cursor": cursor, "prefix": "a"})
        assert_problem(response, 400, "bad_request", "cursor")
        response = client.get("/galleries", params={"cursor": cursor})
        assert_problem(response, 400, "bad_request", "cursor")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *[("limit", value) for value in ("0", "-1", "1001", "x", "1.5", "", "1" * 30)],
            *[("gallery", value) for value in ("", "a b", "../etc", "a" * 65)],
            *[("prefix", value) for value in ("", "\x00", "a" * 129)],
            ("unknown", "1"),
        ],
    )
    def test_a_parameter_that_cannot_be_meant(self, client: Client, name: str, value: str) -> None:
        assert_problem(client.get("/gallery/subjects", params={name: value}), 400, "bad_request", name)

    def test_a_gallery_that_is_not_there(self, client: Client) -> None:
        response = client.get("/gallery/subjects", params={"gallery": "nowhere"})
        assert_problem(response, 404, "gallery_not_found", "gallery")


class TestOneSubject:
    def test_is_read_as_it_was_enrolled(
        self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enroll(client, gallery, "emp 1", portrait, portrait_again, name="Eileen", metadata='{"floor": 3}')
        answer = client.get(subject_path("emp 1", gallery=gallery)).json()
        assert answer.pop("created_at") <= answer.pop("updated_at")
        assert answer == {
            "subject_id": "emp 1",
            "gallery": gallery,
            "name": "Eileen",
            "metadata": {"floor": 3},
            "expires_at": None,
            "faces": 2,
        }

    @pytest.mark.parametrize("subject_id", ["a/b", "/", "a/faces", "x/verify", "?", "#", "%2F", "a%b", "日本", "a b"])
    def test_is_reached_whatever_its_id(
        self, client: Client, service: FaceService, gallery: str, subject_id: str
    ) -> None:
        add_subjects(service, gallery, subject_id)
        assert client.get(subject_path(subject_id, gallery=gallery)).json()["subject_id"] == subject_id
        assert client.get(subject_path(subject_id, "/faces", gallery=gallery)).json()["items"] == []
        erased = client.request("DELETE", subject_path(subject_id, gallery=gallery))
        assert erased.json()["erased"] == {"faces": 0}

    def test_is_renamed_and_identified_under_the_new_name(self, client: Client, gallery: str, portrait: bytes) -> None:
        enroll(client, gallery, "a", portrait, name="Eileen", metadata='{"floor": 3}')
        path = subject_path("a", gallery=gallery)
        changed = client.request("PATCH", path, json={"name": "Collins"}).json()
        assert (changed["name"], changed["metadata"], changed["indexed"]) == ("Collins", {"floor": 3}, True)
        found = client.post("/identify", files={"image": portrait}, data={"gallery": gallery}).json()
        assert found["faces"][0]["candidates"][0]["name"] == "Collins"

        changed = client.request("PATCH", path, json={"name": None, "metadata": {"floor": 4}}).json()
        assert (changed["name"], changed["metadata"]) == (None, {"floor": 4})
        changed = client.request("PATCH", path, files={"metadata": (None, "{}")}).json()
        assert (changed["name"], changed["metadata"]) == (None, {})

        changed = client.request("PATCH", path, json={"expires_at": "2999-01-31T12:00:00+02:00"}).json()
        assert changed["expires_at"] == "2999-01-31T10:00:00Z"
        assert client.request("PATCH", path, json={"expires_at": None}).json()["expires_at"] is None

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "a" * 257}, "name"),
            ({"metadata": None}, "metadata"),
            ({"metadata": {"a": "b" * 5000}}, "metadata"),
            ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
            ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
            ({"subject_id": "b"}, "subject_id"),
            ({"faces": []}, "faces"),
            ({}, None),
        ],
    )
    def test_a_change_that_cannot_be_meant(
        self, client: Client, service: FaceService, gallery: str, change: dict[str, Any], field: str | None
    ) -> None:
        add_subjects(service, gallery, "a")
        before = service.store.subject(gallery, "a")
        response = client.request("PATCH", subject_path("a", gallery=gallery), json=change)
        assert_problem(response, 400, "bad_request", field)
        assert service.store.subject(gallery, "a") == before

    def test_is_not_found_by_anything_once_it_is_erased(
        self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        stored = enroll(client, gallery, "a", portrait, portrait_again)
        path = subject_path("a", gallery=gallery)
        erased = client.request("DELETE", path)
        assert erased.json() == {"erased": {"faces": 2}, "revision": stored["revision"] + 1}
        found = client.post("/identify", files={"image": portrait}, data={"gallery": gallery}).json()
        assert found["faces"][0]["candidates"] == []
        assert found["gallery"] == {"name": gallery, "revision": stored["revision"] + 1, "subjects": 0, "faces": 0}
        for method, rest in (("GET", ""), ("GET", "/faces"), ("DELETE", "")):
            response = client.request(method, subject_path("a", rest, gallery=gallery))
            assert_problem(response, 404, "subject_not_found", "subject_id")
        response = client.request("PATCH", path, json={"name": "b"})
        assert_problem(response, 404, "subject_not_found", "subject_id")

    def test_an_erasure_that_the_index_has_not_taken_in_is_not_called_done(
        self, client: Client, service: FaceService, gallery: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_subjects(service, gallery, "a")

        async def in_vain(revision: int) -> bool:
            return False

        monkeypatch.setattr(service.records, "until_indexed", in_vain)
        response = client.request("DELETE", subject_path("a", gallery=gallery))
        assert assert_problem(response, 503, "not_ready")["revision"] == service.store.revision()
        assert service.store.subjects(gallery) == []

    @pytest.mark.parametrize("subject_id", ["%00", "%0A", "a" * 129])
    def test_an_id_that_no_subject_can_have(self, client: Client, subject_id: str) -> None:
        assert_problem(client.get(f"/gallery/subjects/{subject_id}"), 400, "bad_request", "subject_id")


class TestFaces:
    def test_of_a_subject_listed_and_erased_one_by_one(
        self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        stored = enroll(client, gallery, "a", portrait, portrait_again)
        ids = [face["face_id"] for face in stored["faces"]]
        listed = client.get(subject_path("a", "/faces", gallery=gallery)).json()
        assert [face["face_id"] for face in listed["items"]] == ids
        assert listed["next_cursor"] is None

        erased = client.request("DELETE", f"/gallery/faces/{ids[0]}?gallery={gallery}")
        assert erased.json() == {"erased": {"faces": 1}, "revision": stored["revision"] + 1}
        found = client.post("/identify", files={"image": portrait}, data={"gallery": gallery}).json()
        assert found["gallery"]["faces"] == 1
        assert {row["face_id"] for row in found["faces"][0]["candidates"]} <= {ids[1]}
        response = client.request("DELETE", f"/gallery/faces/{ids[0]}?gallery={gallery}")
        assert_problem(response, 404, "face_not_found", "face_id")

    def test_of_another_gallery_are_not_found_in_this_one(
        self, client: Client, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        face = enroll(client, gallery, "a", portrait)["faces"][0]["face_id"]
        response = client.request("DELETE", f"/gallery/faces/{face}")
        assert_problem(response, 404, "face_not_found", "face_id")
        assert len(service.store.faces(gallery, "a")) == 1

    @pytest.mark.parametrize("face_id", [NO_FACE_ID, "1", "a%2Fb", "%00", "{}", "..%2F", "日本"])
    def test_an_id_of_no_face(self, client: Client, face_id: str) -> None:
        assert_problem(client.request("DELETE", f"/gallery/faces/{face_id}"), 404, "face_not_found")


class TestVerify:
    def test_the_nearest_of_a_subjects_faces_decides(
        self, client: Client, service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        stored = enroll(client, gallery, "a/b", portrait, portrait_again, name="Eileen")
        path = subject_path("a/b", "/verify", gallery=gallery)
        answer = client.post(path, files={"image": portrait_again}).json()
        assert answer["verified"] is True
        assert answer["distance"] == pytest.approx(0, abs=1e-5)
        assert answer["subject"] == {
            "subject_id": "a/b",
            "name": "Eileen",
            "face_id": stored["faces"][1]["face_id"],
        }
        assert (answer["threshold"], answer["far"]) == (service.card.default_threshold, service.card.default_far)
        assert answer["face"]["faces_found"] == 1
        assert (answer["gallery"], answer["model"]["id"]) == (gallery, service.card.id)

    def test_the_distance_is_that_of_verify(
        self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enroll(client, gallery, "a", portrait)
        path = subject_path("a", "/verify", gallery=gallery)
        enrolled = client.post(path, files={"image": portrait_again}, data={"threshold": "0"}).json()
        compared = client.post("/verify", files={"image1": portrait, "image2": portrait_again}).json()
        assert enrolled["distance"] == pytest.approx(compared["distance"], abs=1e-5)
        assert (enrolled["distance_far"] is None) == (compared["distance_far"] is None)
        assert (enrolled["verified"], enrolled["threshold"]) == (False, 0)

    def test_what_cannot_be_compared(
        self, client: Client, service: FaceService, gallery: str, portrait: bytes, no_face: bytes, two_faces: bytes
    ) -> None:
        enroll(client, gallery, "a", portrait)
        add_subjects(service, gallery, "faceless")
        path = subject_path("a", "/verify", gallery=gallery)
        assert_problem(client.post(path, files={"image": no_face}), 422, "no_face", "image")
        response = client.post(path, files={"image": two_faces}, data={"face": "only"})
        assert_problem(response, 422, "several_faces", "image")
        response = client.post(path, files={"image": portrait}, data={"far": "1e-12"})
        assert_problem(response, 422, "far_not_supported", "far")
        response = client.post(path, files={"image": portrait}, data={"far": "0.1", "threshold": "1"})
        assert_problem(response, 400, "bad_request", "far")
        response = client.post(path, files={"image": portrait}, data={"gallery": gallery})
        assert_problem(response, 400, "bad_request", "gallery")
        for subject_id in ("nobody", "faceless"):
            response = client.post(subject_path(subject_id, "/verify", gallery=gallery), files={"image": portrait})
            assert_problem(response, 404, "subject_not_found", "subject_id")
        response = client.post(subject_path("a", "/verify", gallery="nowhere"), files={"image": portrait})
        assert_problem(response, 404, "gallery_not_found", "gallery")
