"""Damaged photographs go through the service's own detector."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from models.evaluation.image_quality import FACE_PIXELS, JPEG_QUALITIES, Compressed, Shrunk, changes, row
from models.lfw import WEIGHTS


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(WEIGHTS)


def test_compression_is_that_of_the_quality(portrait: bytes, detector: FaceDetector) -> None:
    hard, soft = (Compressed(quality)(portrait, detector) for quality in (10, 90))
    assert len(hard) < len(soft) / 4
    assert Image.open(io.BytesIO(hard)).size == Image.open(io.BytesIO(portrait)).size


def test_a_photograph_is_shrunk_until_its_face_has_so_many_pixels(portrait: bytes, detector: FaceDetector) -> None:
    (before,) = detector.detect(decode(portrait, ImageLimits()))
    shrunk = decode(Shrunk(2_500)(portrait, detector), ImageLimits())
    assert shrunk.width == pytest.approx(512 * (2_500 / before.box.area) ** 0.5, abs=1)
    (after,) = detector.detect(shrunk)
    assert after.box.area == pytest.approx(2_500, rel=0.2)


def test_a_photograph_is_never_enlarged_and_without_a_face_it_stays(
    portrait: bytes, no_face: bytes, detector: FaceDetector
) -> None:
    assert Shrunk(65_536)(portrait, detector) == portrait
    assert Shrunk(1_600)(no_face, detector) == no_face


def test_the_table_has_the_papers_rows() -> None:
    assert set(changes()) == {"original"} | {f"jpeg-{q}" for q in JPEG_QUALITIES} | {f"pixels-{p}" for p in FACE_PIXELS}


def test_a_row_gives_val_where_one_in_a_thousand_impostors_passes() -> None:
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(60), 2)
    rows = rng.normal(size=(60, 6))[people] + 0.3 * rng.normal(size=(120, 6))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    found = row("jpeg-10", rows, people, photographs=125, threshold=0.5)
    distances = np.square(rows[:, None].astype(float) - rows[None]).sum(2)
    impostor = np.sort(distances[np.triu(people[:, None] != people[None], 1)])
    genuine = distances[np.triu(people[:, None] == people[None], 1)]
    assert found["failures_to_acquire"] == 5
    assert found["val_at_far_0.001"] == pytest.approx((genuine < impostor[len(impostor) // 1000]).mean(), abs=1e-4)
    assert found["at_card_threshold"]["far"] == pytest.approx((impostor < 0.5).mean(), rel=0.01)
    assert found["at_card_threshold"]["val"] == pytest.approx((genuine < 0.5).mean(), abs=1e-4)


def test_photographs_reach_the_recipe_changed(portrait: bytes, tmp_path: Path, detector: FaceDetector) -> None:
    from models.manifest import Photo
    from models.prepare import Recipe, crop_photo
    from tests.models.test_photographs import SPEC

    (tmp_path / "a.jpg").write_bytes(portrait)
    photo = Photo(tmp_path / "a.jpg", "a", "made")
    whole = crop_photo(photo, detector, Recipe(tmp_path, SPEC)).astype(int)
    damaged = crop_photo(photo, detector, Recipe(tmp_path, SPEC, change=Compressed(5))).astype(int)
    assert 3 < np.abs(whole - damaged).mean() < 60
