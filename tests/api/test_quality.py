"""Quality over HTTP: enforced where faces are enrolled, reported everywhere else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter

from app.api.schemas import Quality
from app.main import open_service
from app.service import FaceService
from app.settings import Settings
from tests.api.conftest import Client, client_with
from tests.api.test_metrics import scraped
from tests.api.test_routes import assert_problem
from tests.conftest import encoded


@pytest.fixture(scope="session")
def blurred(astronaut: Image.Image) -> bytes:
    """The portrait, hopelessly out of focus."""
    return encoded(astronaut.filter(ImageFilter.GaussianBlur(7)), quality=92)


def enroll(client: Client, gallery: str, *images: bytes) -> Any:
    files = [("image", image) for image in images]
    return client.post("/gallery/enroll", files=files, data={"subject_id": "collins", "gallery": gallery})


def assert_blurred(row: dict[str, Any]) -> None:
    assert "blurred" in row["reasons"]
    assert row["measured"]["sharpness"] < row["required"]["sharpness"]
    assert row["measured"].keys() == row["required"].keys()


def test_a_face_of_low_quality_is_not_enrolled(
    client: Client, service: FaceService, gallery: str, blurred: bytes
) -> None:
    problem = assert_problem(enroll(client, gallery, blurred), 422, "low_quality", "image")
    assert_blurred(problem)
    assert "sharpness is 0" in problem["detail"]
    assert service.store.subjects(gallery) == []


def test_of_several_photographs_each_is_answered_for(
    client: Client, gallery: str, portrait: bytes, blurred: bytes, no_face: bytes
) -> None:
    answer = enroll(client, gallery, blurred, portrait, no_face)
    assert answer.status_code == 201
    rejected, enrolled, empty = answer.json()["faces"]
    assert_blurred(rejected)
    assert enrolled["quality"]["acceptable"]
    assert (empty["reasons"], empty["required"]) == (["no_face"], {})
    problem = assert_problem(enroll(client, gallery, blurred, no_face), 422, "low_quality", "image")
    assert_blurred(problem["images"][0])
    assert (problem["images"][1]["reasons"], problem["images"][1]["faces_found"]) == (["no_face"], 0)


def test_a_probe_of_low_quality_is_compared_and_its_quality_reported(
    client: Client, gallery: str, portrait: bytes, blurred: bytes
) -> None:
    answer = client.post("/verify", files={"image1": portrait, "image2": blurred}).json()
    good, poor = answer["face1"]["quality"], answer["face2"]["quality"]
    assert good.keys() == Quality.model_fields.keys()
    assert (good["acceptable"], good["reasons"], good["required"]) == (True, [], {})
    assert (poor["acceptable"], "blurred" in poor["reasons"]) == (False, True)
    assert poor["sharpness"] < poor["required"]["sharpness"] < good["sharpness"]
    for path, fields in (("/identify", {"gallery": gallery}), ("/detect", {}), ("/embed", {})):
        (face,) = client.post(path, files={"image": blurred}, data=fields).json()["faces"]
        assert face["quality"] == poor
    groups = client.post("/cluster", files=[("image", blurred)]).json()["groups"]
    assert groups[0]["faces"][0]["quality"] == poor


def test_rejections_are_counted_by_reason(client: Client, gallery: str, portrait: bytes, blurred: bytes) -> None:
    before = scraped(client)
    enroll(client, gallery, blurred)
    enroll(client, gallery, blurred, portrait)
    name = "sameface_enrolment_rejections_total{reason=blurred}"
    assert scraped(client)[name] - before.get(name, 0) == 2


@pytest.fixture
def strict(settings: Settings, tmp_path: Path) -> Iterator[FaceService]:
    """A service for which no face is large enough."""
    update = {"database_url": f"sqlite:///{tmp_path / 'strict.db'}", "quality_min_face_px": 500.0}
    with open_service(settings.model_copy(update=update)) as opened:
        opened.store.create_gallery("strict")
        yield opened


def test_requirements_are_settings(strict: FaceService, portrait: bytes) -> None:
    problem = assert_problem(
        enroll(client_with(strict, strict.settings), "strict", portrait), 422, "low_quality", "image"
    )
    assert problem["reasons"] == ["small_face"]
    assert problem["required"] == {"face_px": 500.0}
    assert problem["measured"]["face_px"] == pytest.approx(93, abs=10)
