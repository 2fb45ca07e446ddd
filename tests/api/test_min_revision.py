"""An identification that must not be older than what the caller has been told."""

import pytest

from app.service import FaceService
from tests.api.conftest import Client


def test_an_identification_sees_the_revision_that_it_names(client: Client, gallery: str, portrait: bytes) -> None:
    enrolment = {"subject_id": "ada", "gallery": gallery}
    revision = client.post("/gallery/enroll", files={"image": portrait}, data=enrolment).json()["revision"]
    asked = {"gallery": gallery, "min_revision": revision}
    answer = client.post("/identify", files={"image": portrait}, data=asked).json()
    assert answer["gallery"]["revision"] >= revision
    assert answer["faces"][0]["candidates"][0]["subject_id"] == "ada"


def test_a_revision_that_does_not_come_in_time_is_not_ready(
    client: Client, service: FaceService, gallery: str, no_face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = service.settings.model_copy(update={"index_wait_seconds": 0.1})
    monkeypatch.setattr(service, "settings", hurried)
    here = service.follower.lag.applied_revision
    response = client.post(
        "/identify", files={"image": no_face}, data={"gallery": gallery, "min_revision": here + 1000}
    )
    problem = response.json()
    assert (response.status_code, problem["code"], problem["field"]) == (503, "not_ready", "min_revision")
    assert (problem["revision"], problem["min_revision"]) == (here, here + 1000)
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("value", ["-1", "1.5", "x", str(2**63)])
def test_what_no_revision_can_be_is_a_bad_request(client: Client, no_face: bytes, value: str) -> None:
    response = client.post("/identify", files={"image": no_face}, data={"min_revision": value})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
