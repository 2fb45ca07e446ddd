"""Detect, embed and cluster over HTTP, on real photographs."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.service import FaceService
from tests.api.conftest import Client, client_with
from tests.api.test_routes import FACE_MEMBERS, assert_problem
from tests.conftest import reconfigured

NOT_AN_IMAGE = b"this is no photograph"


def test_detect_finds_the_faces_that_verify_uses(client: Client, portrait: bytes, two_faces: bytes) -> None:
    answer = client.post("/detect", files={"image": two_faces}).json()
    assert (answer["faces_found"], answer["image"]) == (2, {"width": 900, "height": 512})
    large, small = answer["faces"]
    assert large.keys() == FACE_MEMBERS
    assert large["box"]["right"] < small["box"]["left"]
    assert large["face_px"] > small["face_px"]
    one = client.post("/detect", files={"image": two_faces}, data={"max_faces": "1"}).json()
    assert (one["faces"], one["faces_found"]) == ([large], 2)

    compared = client.post("/verify", files={"image1": portrait, "image2": portrait}).json()
    (face,) = client.post("/detect", files={"image": portrait}).json()["faces"]
    assert compared["face1"] == face | {"faces_found": 1}


def test_embeddings_are_unit_vectors_whose_distance_is_that_of_verify(
    client: Client, service: FaceService, portrait: bytes, portrait_again: bytes
) -> None:
    vectors = []
    for image in (portrait, portrait_again):
        answer = client.post("/embed", files={"image": image}).json()
        assert answer["model"] == {"id": service.card.id, "sha256": service.card.sha256}
        (face,) = answer["faces"]
        assert face.keys() == FACE_MEMBERS | {"embedding"}
        vectors.append(np.array(face["embedding"]))
    assert [len(vector) for vector in vectors] == [service.card.embedding_size] * 2
    assert [np.linalg.norm(vector) for vector in vectors] == pytest.approx([1, 1], abs=1e-5)
    compared = client.post("/verify", files={"image1": portrait, "image2": portrait_again}).json()
    assert np.sum((vectors[0] - vectors[1]) ** 2) == pytest.approx(compared["distance"], abs=1e-4)


@pytest.mark.parametrize("path", ["/detect", "/embed"])
def test_no_face_is_an_answer_and_no_photograph_is_not(client: Client, path: str, no_face: bytes) -> None:
    answer = client.post(path, files={"image": no_face}).json()
    assert (answer["faces"], answer["faces_found"]) == ([], 0)
    assert_problem(client.post(path, files={"image": NOT_AN_IMAGE}), 415, "unsupported_format", "image")
    response = client.post(path, files={"image": no_face}, data={"max_faces": "101"})
    assert_problem(response, 400, "bad_request", "max_faces")


def grouped(answer: dict[str, Any]) -> list[list[int]]:
    """The photographs of each group."""
    return [[face["image"] for face in group["faces"]] for group in answer["groups"]]


@pytest.mark.parametrize("method", ["agglomerative", "dbscan"])
def test_the_faces_of_many_photographs_are_grouped_by_person(
    client: Client,
    service: FaceService,
    method: str,
    lfw: Path,
    portrait: bytes,
    portrait_again: bytes,
    no_face: bytes,
) -> None:
    someone = sorted((lfw / "images").glob("George_W_Bush/*.jpg"))[0].read_bytes()
    images = [someone, portrait, no_face, NOT_AN_IMAGE, portrait_again, someone]
    data = {"method": method, "max_faces": "1"}
    answer = client.post("/cluster", files=[("image", image) for image in images], data=data).json()
    assert (answer["threshold"], answer["far"]) == (service.card.default_threshold, service.card.default_far)
    assert answer["method"] == method
    assert [(row["status"], row["faces"], row["reasons"]) for row in answer["images"]] == [
        ("read", 1, []),
        ("read", 1, []),
        ("read", 0, []),
        ("rejected", 0, ["unsupported_format"]),
        ("read", 1, []),
        ("read", 1, []),
    ]
    assert grouped(answer) == [[0, 5], [1, 4]]


def test_a_threshold_of_zero_leaves_everybody_alone(client: Client, portrait: bytes, two_faces: bytes) -> None:
    encoded = [base64.b64encode(image).decode() for image in (portrait, two_faces)]
    answer = client.post("/cluster", json={"images": encoded, "threshold": 0}).json()
    assert grouped(answer) == [[0], [1], [1]]
    answer = client.post("/cluster", json={"images": encoded, "threshold": 4}).json()
    assert grouped(answer) == [[0, 1, 1]]


def test_requests_for_groups_are_bounded(client: Client, service: FaceService, two_faces: bytes) -> None:
    assert_problem(client.post("/cluster", json={"image": []}), 400, "bad_request", "image")
    few = reconfigured(service, max_cluster_images=2, max_cluster_faces=3)
    narrow = client_with(few, few.settings)
    files = [("image", two_faces)]
    assert narrow.post("/cluster", files=files).status_code == 200
    document = assert_problem(narrow.post("/cluster", files=files * 2), 400, "bad_request", "image")
    assert (document["faces"], document["max_cluster_faces"]) == (4, 3)
    document = assert_problem(narrow.post("/cluster", files=files * 3), 400, "bad_request", "image")
    assert (document["images"], document["max_cluster_images"]) == (3, 2)


def test_groups_of_nothing_readable_are_an_error(client: Client) -> None:
    response = client.post("/cluster", files=[("image", NOT_AN_IMAGE)] * 2)
    assert_problem(response, 415, "unsupported_format", "image")
    response = client.post("/cluster", json={"image": [base64.b64encode(NOT_AN_IMAGE).decode()], "far": 1e-12})
    assert_problem(response, 422, "far_not_supported", "far")
