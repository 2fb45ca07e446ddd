"""Every error has a status, and every answer that is an error has one shape."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from app import errors
from app.api.problems import MEDIA_TYPE, STATUS, problem, problem_of
from app.errors import ConfigurationError, NoFace, NotReady, Overloaded, SamefaceError
from app.service import FaceService
from tests.api.conftest import Client


def descendants(kind: type[SamefaceError]) -> Iterator[type[SamefaceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


# A client has errors of its own, which no service answers.
KINDS = [kind for kind in descendants(SamefaceError) if "code" in vars(kind) and kind.__module__ == "app.errors"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_error_has_a_status(kind: type[SamefaceError]) -> None:
    assert 400 <= STATUS[kind.code] <= 599


def test_no_status_is_left_of_an_error_that_is_gone() -> None:
    assert set(STATUS) == {kind.code for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_the_tree_in_the_docstring_is_the_tree(kind: type[SamefaceError]) -> None:
    lines = [line.split() for line in (errors.__doc__ or "").splitlines()]
    assert any(kind.__name__ in words and kind.code in words for words in lines)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_what_the_caller_can_mend_is_a_4xx_and_only_that(kind: type[SamefaceError]) -> None:
    theirs = issubclass(kind, errors.BadInput | errors.AccessDenied | errors.NotFound | errors.Conflict)
    assert (STATUS[kind.code] < 500) == theirs


def test_a_problem_document_has_the_members_of_rfc_9457_and_the_facts() -> None:
    response = problem_of(NoFace("no face was found", field="image1", faces_found=0))
    assert response.status_code == 422
    assert response.headers["content-type"] == MEDIA_TYPE
    assert json.loads(response.body) == {
        "type": "urn:sameface:problem:no_face",
        "title": "No face",
        "status": 422,
        "detail": "no face was found",
        "code": "no_face",
        "field": "image1",
        "faces_found": 0,
        "request_id": None,
    }


def test_facts_cannot_displace_the_standard_members() -> None:
    response = problem(400, "bad_request", "why", facts={"status": 200, "code": "fine"})
    document = json.loads(response.body)
    assert (document["status"], document["code"]) == (400, "bad_request")


def test_facts_of_any_kind_become_json() -> None:
    facts = {"infinite": float("inf"), "missing": float("nan"), "array": np.float32(1.5), "path": object()}
    document = json.loads(problem(400, "bad_request", "why", facts=facts).body)
    assert document["infinite"] is None
    assert document["missing"] is None


def test_what_may_succeed_later_says_when() -> None:
    assert problem_of(Overloaded("busy")).headers["retry-after"] == "1"
    assert "retry-after" not in problem_of(NoFace("none")).headers


def test_a_fault_of_the_whole_body_names_no_field(client: Client, service: FaceService, gallery: str) -> None:
    service.records.store.add(gallery, "ada", [])
    response = client.request("PATCH", f"/gallery/subjects/ada?gallery={gallery}", json={})
    answer = response.json()
    assert (response.status_code, answer["detail"]) == (400, "give name, metadata or expires_at")
    assert "field" not in answer


def test_an_image_that_is_given_twice_is_told_so(client: Client, portrait: bytes) -> None:
    files = [("image1", portrait), ("image2", portrait), ("image2", portrait)]
    answer = client.post("/verify", files=files).json()
    assert answer["detail"] == "image2: this field takes one image and was given 2 times"


@pytest.mark.parametrize(
    ("met", "logged"),
    [
        (ConfigurationError("templates are encrypted with key 6a9d"), "templates are encrypted with key 6a9d"),
        (NotReady("the database cannot answer now"), "the database cannot answer now: database or disk is full"),
    ],
)
def test_what_the_operator_is_to_mend_is_in_the_log_and_not_told_to_callers(
    client: Client,
    service: FaceService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    met: SamefaceError,
    logged: str,
) -> None:
    async def failing(*_: object) -> None:
        raise met from OSError("database or disk is full")

    monkeypatch.setattr(service.records, "subject", failing)
    response = client.get("/gallery/subjects/ada")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")
    assert "6a9d" not in response.text
    assert "disk is full" not in response.text
    assert logged in caplog.messages
