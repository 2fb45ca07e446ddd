"""GET /gallery/faces/{face_id}/crop."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from app.main import open_service
from app.service import FaceService
from app.settings import Settings
from tests.api.conftest import Client, client_with
from tests.api.test_routes import assert_problem
from tests.api.test_subjects import NO_FACE_ID, enroll


@pytest.fixture(scope="module")
def keeping(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service that keeps crops."""
    database = tmp_path_factory.mktemp("crops") / "sameface.db"
    own = settings.model_copy(update={"database_url": f"sqlite:///{database}", "store_crops": True})
    with open_service(own) as service:
        yield client_with(service, own)


def test_a_stored_face_can_be_looked_at(keeping: Client, portrait: bytes) -> None:
    face_id = enroll(keeping, "default", "ada", portrait)["faces"][0]["face_id"]
    [listed] = keeping.get("/gallery/subjects/ada/faces").json()["items"]
    assert (listed["face_id"], listed["crop_kept"]) == (face_id, True)
    answer = keeping.get(f"/gallery/faces/{face_id}/crop")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"] == "no-store"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (140, 140)
        assert np.asarray(image.convert("RGB")).std() > 20  # a picture, not an empty square


def test_an_erased_face_cannot(keeping: Client, portrait_again: bytes) -> None:
    face_id = enroll(keeping, "default", "bob", portrait_again)["faces"][0]["face_id"]
    keeping.request("DELETE", f"/gallery/faces/{face_id}")
    assert_problem(keeping.get(f"/gallery/faces/{face_id}/crop"), 404, "face_not_found", "face_id")


def test_by_default_no_crop_is_kept(client: Client, service: FaceService, gallery: str, portrait: bytes) -> None:
    face_id = enroll(client, gallery, "ada", portrait)["faces"][0]["face_id"]
    answer = client.get(f"/gallery/faces/{face_id}/crop", params={"gallery": gallery})
    assert_problem(answer, 404, "crop_not_kept", "face_id")
    assert answer.json()["face_id"] == face_id
    [listed] = client.get("/gallery/subjects/ada/faces", params={"gallery": gallery}).json()["items"]
    assert listed["crop_kept"] is False


def test_a_face_or_gallery_that_is_not_there(client: Client, gallery: str) -> None:
    for face_id in (NO_FACE_ID, "x"):
        answer = client.get(f"/gallery/faces/{face_id}/crop", params={"gallery": gallery})
        assert_problem(answer, 404, "face_not_found")
    answer = client.get(f"/gallery/faces/{NO_FACE_ID}/crop", params={"gallery": "nowhere"})
    assert_problem(answer, 404, "gallery_not_found", "gallery")
