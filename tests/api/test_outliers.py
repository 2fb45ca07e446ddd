"""What an enrolment says of a photograph that may be of someone else: it is stored, and flagged."""

from pathlib import Path

import numpy as np
import pytest

from app import enrolment
from app.domain import Box, EmbeddedFace, FaceQuality, MeasuredFace
from app.service import FaceService
from tests.api.conftest import Client


def face(*embedding: float) -> EmbeddedFace:
    quality = FaceQuality(9, 4, 0, 0, 0, 0.3, 0.5, 0.1, 1.0, 0.0)
    measured = MeasuredFace(Box(0, 0, 9, 9), 1.0, np.zeros((5, 2), np.float32), quality)
    return EmbeddedFace(measured, np.array(embedding, np.float32), faces_found=1)


def enroll(client: Client, gallery: str, *images: bytes) -> list[dict[str, object]]:
    files = [("image", image) for image in images]
    answer = client.post("/gallery/enroll", files=files, data={"subject_id": "ada", "gallery": gallery})
    assert answer.status_code == 201
    rows: list[dict[str, object]] = answer.json()["faces"]
    return rows


def test_a_face_is_compared_with_those_that_the_subject_had() -> None:
    assert enrolment.own_distances([face(1, 0), face(0, 1)], [0.5, 1.5]) == [0.5, 1.5]


def test_faces_of_a_new_subject_are_compared_with_each_other() -> None:
    assert enrolment.own_distances([face(1, 0), face(1, 0), face(0, 1)], []) == [0.0, 0.0, 2.0]


def test_a_single_face_of_a_new_subject_is_compared_with_nothing() -> None:
    assert enrolment.own_distances([face(1, 0)], []) == [None]


def test_further_photographs_of_the_same_face_are_no_outliers(
    client: Client, gallery: str, portrait: bytes, portrait_again: bytes
) -> None:
    [first] = enroll(client, gallery, portrait)
    assert (first["own_distance"], first["outlier"]) == (None, False)
    [second] = enroll(client, gallery, portrait_again)
    assert 0 < float(str(second["own_distance"])) < 1
    assert second["outlier"] is False


def test_a_photograph_of_someone_else_is_stored_and_flagged(
    client: Client, service: FaceService, gallery: str, portrait: bytes, lfw: Path
) -> None:
    other = (lfw / "images" / "Tony_Blair" / "Tony_Blair_0006.jpg").read_bytes()
    enroll(client, gallery, portrait)
    [row] = enroll(client, gallery, other)
    assert float(str(row["own_distance"])) >= service.card.default_threshold
    assert row["outlier"] is True
    assert service.store.subject(gallery, "ada").faces == 2


@pytest.mark.parametrize("order", [1, -1])
def test_a_stranger_among_the_first_photographs_is_flagged(
    client: Client, gallery: str, portrait: bytes, portrait_again: bytes, lfw: Path, order: int
) -> None:
    other = (lfw / "images" / "Tony_Blair" / "Tony_Blair_0006.jpg").read_bytes()
    rows = enroll(client, gallery, *[portrait, portrait_again, other][::order])
    assert [row["outlier"] for row in rows] == [False, False, True][::order]
