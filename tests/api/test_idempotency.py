"""POST /gallery/enroll under an Idempotency-Key."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.errors import NotReady
from app.service import FaceService
from tests.api.conftest import Client


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def enroll(client: Client, gallery: str, image: bytes, headers: dict[str, str], **data: Any) -> httpx.Response:
    fields = {"subject_id": "ada", "gallery": gallery, **data}
    return client.post("/gallery/enroll", files={"image": image}, data=fields, headers=headers)


def test_a_repetition_gets_the_first_answer_and_does_nothing(
    client: Client, service: FaceService, gallery: str, portrait: bytes, key: dict[str, str]
) -> None:
    first = enroll(client, gallery, portrait, key)
    revision = service.store.revision()
    again = enroll(client, gallery, portrait, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert service.store.revision() == revision


def test_requests_that_come_together_under_a_key_are_done_once(
    client: Client, service: FaceService, gallery: str, portrait: bytes, key: dict[str, str]
) -> None:
    revision = service.store.revision()
    fields = {"subject_id": "ada", "gallery": gallery}
    one = ("POST", "/gallery/enroll", {"files": {"image": portrait}, "data": fields, "headers": key})
    answers = client.together(one, one, one)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["faces"][0]["face_id"] for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == ["", "true", "true"]
    assert service.store.revision() == revision + 1


def test_a_process_that_ends_before_it_answers_has_kept_an_answer_all_the_same(
    client: Client,
    service: FaceService,
    gallery: str,
    portrait: bytes,
    key: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def killed(revision: int) -> bool:
        raise NotReady("as if killed after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(service.records, "until_indexed", killed)
        assert enroll(client, gallery, portrait, key).status_code == 503
    revision = service.store.revision()
    again = enroll(client, gallery, portrait, key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json()["indexed"] is False
    assert again.json()["faces"][0]["status"] == "enrolled"
    assert service.store.revision() == revision


def test_without_a_key_a_repetition_is_an_enrolment_of_what_is_there(
    client: Client, gallery: str, portrait: bytes
) -> None:
    assert enroll(client, gallery, portrait, {}).status_code == 201
    assert enroll(client, gallery, portrait, {}).status_code == 200


@pytest.mark.parametrize("change", [{"subject_id": "bob"}, {"name": "Ada"}, {"on_duplicate": "allow"}], ids=repr)
def test_another_request_under_the_key_is_a_conflict_and_stores_nothing(
    client: Client, service: FaceService, gallery: str, portrait: bytes, key: dict[str, str], change: dict[str, str]
) -> None:
    enroll(client, gallery, portrait, key)
    revision = service.store.revision()
    response = enroll(client, gallery, portrait, key, **change)
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    assert service.store.revision() == revision


def test_another_photograph_under_the_key_is_a_conflict(
    client: Client, gallery: str, portrait: bytes, portrait_again: bytes, key: dict[str, str]
) -> None:
    enroll(client, gallery, portrait, key)
    assert enroll(client, gallery, portrait_again, key).json()["code"] == "idempotency_conflict"


def test_a_late_repetition_does_not_bring_an_erased_person_back(
    client: Client, service: FaceService, gallery: str, portrait: bytes, key: dict[str, str]
) -> None:
    enroll(client, gallery, portrait, key)
    service.store.remove_subject(gallery, "ada")
    assert enroll(client, gallery, portrait, key).json()["code"] == "idempotency_conflict"
    assert service.store.subjects(gallery) == []


def test_a_request_that_failed_can_be_mended_under_its_key(
    client: Client, gallery: str, portrait: bytes, no_face: bytes, key: dict[str, str]
) -> None:
    assert enroll(client, gallery, no_face, key).status_code == 422
    assert enroll(client, gallery, portrait, key).status_code == 201


@pytest.mark.parametrize("value", ["", "x" * 256, "two words", "ümlaut"])
def test_what_no_key_can_be_is_a_bad_request(client: Client, gallery: str, portrait: bytes, value: str) -> None:
    response = enroll(client, gallery, portrait, {"Idempotency-Key": value.encode()})  # type: ignore[dict-item]
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
