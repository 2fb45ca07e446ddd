"""The contract of verify, identify, enroll and model over HTTP."""

import base64
from typing import Any

import httpx
import pytest

from app.service import FaceService
from tests.api.conftest import Client, client_with

FACE_MEMBERS = {"box", "confidence", "landmarks", "face_px", "quality"}
OWN = {"own_distance", "outlier"}


def base64_of(image: bytes) -> str:
    return base64.b64encode(image).decode()


def assert_problem(response: httpx.Response, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["code"]) == (status, code), document
    assert response.headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    assert document["request_id"] == response.headers["x-request-id"]
    if field is not None:
        assert document["field"] == field
    return document


class TestVerify:
    def test_two_files_of_one_person(
        self, client: Client, service: FaceService, portrait: bytes, portrait_again: bytes
    ) -> None:
        response = client.post("/verify", files={"image1": portrait, "image2": portrait_again})
        assert response.status_code == 200
        answer = response.json()
        assert answer["verified"] is True
        assert 0 <= answer["distance"] < answer["threshold"] == service.card.default_threshold
        assert answer["similarity"] == pytest.approx(1 - answer["distance"] / 2)
        assert answer["far"] == service.card.default_far
        assert answer["model"] == {"id": service.card.id, "sha256": service.card.sha256}
        assert answer["face1"].keys() == FACE_MEMBERS | {"faces_found"}
        assert answer["face1"]["box"].keys() == {"left", "top", "right", "bottom"}
        assert len(answer["face1"]["landmarks"]) == 5
        assert answer["took_ms"]["total"] > 0

    @pytest.mark.parametrize("names", [("image1", "image2"), ("img1", "img2"), ("source_image", "target_image")])
    @pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"], ids=["plain", "data URI"])
    def test_base64_under_every_name(
        self, client: Client, portrait: bytes, names: tuple[str, str], prefix: str
    ) -> None:
        body = {name: prefix + base64_of(portrait) for name in names}
        assert client.post("/verify", json=body).json()["verified"] is True

    def test_base64_in_lines_and_in_a_form(self, client: Client, portrait: bytes) -> None:
        lines = base64.encodebytes(portrait).decode()
        assert client.post("/verify", json={"image1": lines, "image2": lines}).status_code == 200
        form = {"image1": (None, lines), "image2": (None, lines)}
        assert client.post("/verify", files=form).status_code == 200

    @pytest.mark.parametrize(("threshold", "verified"), [(0, False), (1.1, True), (4, True)])
    def test_an_explicit_threshold(self, client: Client, portrait: bytes, threshold: float, verified: bool) -> None:
        files = {"image1": portrait, "image2": portrait}
        answer = client.post("/verify", files=files, data={"threshold": str(threshold)}).json()
        assert (answer["verified"], answer["threshold"]) == (verified, threshold)

    def test_a_rate_beyond_the_calibration(self, client: Client, service: FaceService, portrait: bytes) -> None:
        files = {"image1": portrait, "image2": portrait}
        document = assert_problem(
            client.post("/verify", files=files, data={"far": "1e-12"}), 422, "far_not_supported", "far"
        )
        assert document["min_far"] == service.card.calibration.curve[-1].far

    def test_threshold_and_far_together(self, client: Client, portrait: bytes) -> None:
        files = {"image1": portrait, "image2": portrait}
        response = client.post("/verify", files=files, data={"far": "0.001", "threshold": "1.1"})
        assert_problem(response, 400, "bad_request", "far")

    def test_no_face(self, client: Client, portrait: bytes, no_face: bytes) -> None:
        response = client.post("/verify", files={"image1": portrait, "image2": no_face})
        assert assert_problem(response, 422, "no_face", "image2")["faces_found"] == 0

    def test_several_faces_where_only_one_is_allowed(self, client: Client, portrait: bytes, two_faces: bytes) -> None:
        files = {"image1": two_faces, "image2": portrait}
        assert client.post("/verify", files=files).status_code == 200
        response = client.post("/verify", files=files, data={"face": "only"})
        assert assert_problem(response, 422, "several_faces", "image1")["faces_found"] == 2

    def test_what_is_no_photograph(self, client: Client, portrait: bytes) -> None:
        response = client.post("/verify", files={"image1": portrait, "image2": b"%PDF-1.7"})
        assert_problem(response, 415, "unsupported_format", "image2")
        response = client.post("/verify", files={"image1": portrait[:2000], "image2": portrait})
        assert_problem(response, 422, "unreadable_image", "image1")


class TestIdentifyAndEnroll:
    def test_who_is_enrolled_is_identified(
        self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        form = {"subject_id": "emp-0042", "gallery": gallery, "name": "Eileen Collins", "metadata": '{"floor": 3}'}
        enrolled = client.post("/gallery/enroll", files={"image": portrait}, data=form)
        assert enrolled.status_code == 201
        stored = enrolled.json()
        assert (stored["subject_id"], stored["created"], stored["indexed"]) == ("emp-0042", True, True)
        (row,) = stored["faces"]
        assert row.keys() == FACE_MEMBERS | {"faces_found", "face_id", "image", "status", "existed", *OWN}
        assert (row["image"], row["status"], row["existed"]) == (0, "enrolled", False)

        answer = client.post("/identify", files={"image": portrait_again}, data={"gallery": gallery}).json()
        assert answer["gallery"] == {"name": gallery, "revision": stored["revision"], "subjects": 1, "faces": 1}
        (face,) = answer["faces"]
        assert face["status"] == "identified"
        (candidate,) = face["candidates"]
        assert candidate.pop("distance") < answer["threshold"]
        assert candidate == {
            "subject_id": "emp-0042",
            "name": "Eileen Collins",
            "face_id": row["face_id"],
            "rank": 1,
        }

    def test_several_photographs_each_answered_for(
        self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes, two_faces: bytes
    ) -> None:
        images = [("image", portrait), ("image", two_faces), ("image", portrait_again)]
        response = client.post("/gallery/enroll", files=images, data={"subject_id": "a", "gallery": gallery})
        assert response.status_code == 201
        rows = response.json()["faces"]
        assert [row["status"] for row in rows] == ["enrolled", "rejected", "enrolled"]
        assert rows[1].keys() == {"image", "status", "reasons", "detail", "measured", "required"}
        assert rows[1]["reasons"] == ["several_faces"]
        assert rows[1]["measured"] == {"faces_found": 2}

    def test_photographs_as_a_json_list(self, client: Client, gallery: str, portrait: bytes) -> None:
        body = {"subject_id": "a", "gallery": gallery, "image": [base64_of(portrait)], "metadata": {"x": [1, None]}}
        assert client.post("/gallery/enroll", json=body).status_code == 201

    def test_the_same_request_again_stores_nothing_new(self, client: Client, gallery: str, portrait: bytes) -> None:
        request = {"files": {"image": portrait}, "data": {"subject_id": "a", "gallery": gallery}}
        first = client.post("/gallery/enroll", **request)
        again = client.post("/gallery/enroll", **request)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["revision"] == first.json()["revision"]
        assert again.json()["faces"][0]["existed"] is True

    def test_an_enrolment_of_nothing_usable_is_an_error(
        self, client: Client, service: FaceService, gallery: str, no_face: bytes, two_faces: bytes
    ) -> None:
        data = {"subject_id": "a", "gallery": gallery}
        response = client.post("/gallery/enroll", files={"image": no_face}, data=data)
        assert_problem(response, 422, "no_face", "image")
        images = [("image", no_face), ("image", two_faces)]
        document = assert_problem(client.post("/gallery/enroll", files=images, data=data), 422, "low_quality", "image")
        assert [row["reasons"] for row in document["images"]] == [["no_face"], ["several_faces"]]
        assert service.store.subjects(gallery) == []

    def test_a_duplicate(self, client: Client, gallery: str, portrait: bytes, portrait_again: bytes) -> None:
        def enroll(subject_id: str, image: bytes, **options: str) -> httpx.Response:
            data = {"subject_id": subject_id, "gallery": gallery, **options}
            return client.post("/gallery/enroll", files={"image": image}, data=data)

        assert enroll("a", portrait).json()["duplicates"] == []
        document = assert_problem(enroll("b", portrait_again, on_duplicate="reject"), 409, "duplicate_identity")
        assert [row["subject_id"] for row in document["duplicates"]] == ["a"]
        assert [row["subject_id"] for row in enroll("b", portrait_again).json()["duplicates"]] == ["a"]

    def test_no_face_to_identify_is_an_answer(self, client: Client, gallery: str, no_face: bytes) -> None:
        answer = client.post("/identify", files={"image": no_face}, data={"gallery": gallery}).json()
        assert (answer["faces"], answer["faces_found"]) == ([], 0)

    @pytest.mark.parametrize("name", ["image", "img", "file"])
    def test_a_photograph_under_every_name(self, client: Client, gallery: str, no_face: bytes, name: str) -> None:
        response = client.post("/identify", files={name: no_face}, data={"gallery": gallery})
        assert response.status_code == 200

    def test_an_unknown_gallery(self, client: Client, portrait: bytes) -> None:
        response = client.post("/identify", files={"image": portrait}, data={"gallery": "nowhere"})
        assert_problem(response, 404, "gallery_not_found", "gallery")
        data = {"gallery": "nowhere", "subject_id": "a"}
        response = client.post("/gallery/enroll", files={"image": portrait}, data=data)
        assert_problem(response, 404, "gallery_not_found", "gallery")

    def test_the_default_gallery_is_there_from_the_start(self, client: Client, no_face: bytes) -> None:
        assert client.post("/identify", files={"image": no_face}).json()["gallery"]["name"] == "default"


def test_the_model_card_is_served(client: Client, service: FaceService) -> None:
    answer = client.get("/model").json()
    assert (answer["id"], answer["sha256"]) == (service.card.id, service.card.sha256)
    assert answer["calibration"]["operating_points"]


def test_a_stated_deadline_is_kept_and_the_queues_are_left_empty(service: FaceService, portrait: bytes) -> None:
    hurried = client_with(service, service.settings.model_copy(update={"request_deadline_seconds": 0.001}))
    response = hurried.post("/verify", files={"image1": portrait, "image2": portrait})
    assert_problem(response, 504, "deadline_exceeded")
    assert service.pipeline.depth == 0


def test_requests_above_the_limit_are_refused_and_the_rest_answered(service: FaceService, portrait: bytes) -> None:
    narrow = client_with(service, service.settings.model_copy(update={"max_requests_in_flight": 2}))
    request = ("POST", "/verify", {"files": {"image1": portrait, "image2": portrait}})
    responses = narrow.together(*[request] * 6)
    assert sorted(response.status_code for response in responses) == [200, 200, 503, 503, 503, 503]
    refused = next(response for response in responses if response.status_code == 503)
    assert_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "1"


def test_a_request_larger_than_allowed(service: FaceService, portrait: bytes) -> None:
    small = client_with(service, service.settings.model_copy(update={"max_request_bytes": 1000}))
    response = small.post("/verify", files={"image1": portrait, "image2": portrait})
    assert_problem(response, 413, "image_too_large")


def test_openapi_describes_both_bodies_and_the_problems(client: Client) -> None:
    document = client.get("/openapi.json").json()
    for path in ("/verify", "/identify", "/gallery/enroll"):
        operation = document["paths"][path]["post"]
        assert operation["requestBody"]["content"].keys() == {"multipart/form-data", "application/json"}
        assert "application/problem+json" in operation["responses"]["400"]["content"]
    image = document["paths"]["/verify"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert image["properties"]["image1"]["format"] == "binary"
    assert image["properties"]["threshold"]["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 4}


def test_a_request_is_not_handed_to_another_thread_on_its_way(
    client: Client, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FastAPI gives a thread to each dependency that is no coroutine; that once was a third of its time for a request.
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked for")

    monkeypatch.setattr("starlette.concurrency.run_in_threadpool", refused)
    monkeypatch.setattr("fastapi.dependencies.utils.run_in_threadpool", refused)
    monkeypatch.setattr("fastapi.routing.run_in_threadpool", refused)
    assert client.post("/verify", files={"image1": portrait, "image2": portrait}).status_code == 200
