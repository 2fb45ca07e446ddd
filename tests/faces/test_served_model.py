"""The committed model: what it says of itself, and the numbers that only a change of preprocessing would move."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain import FaceChoice, is_match, squared_l2
from app.faces.choose import choose_face
from app.faces.crop import crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from tests.faces.conftest import WEIGHTS, photograph

# The first eight coordinates of the astronaut's embedding.
GOLDEN = [-0.0371, -0.0363, 0.0896, 0.1128, -0.0022, 0.1232, 0.1849, -0.0682]


@pytest.fixture(scope="module")
def embedder() -> FaceEmbedder:
    return FaceEmbedder(WEIGHTS / "facenet-nn2-128.onnx")


def embed(data: bytes, detector: FaceDetector, embedder: FaceEmbedder) -> np.ndarray:
    scene = decode(data, ImageLimits())
    chosen = choose_face(detector.detect(scene), FaceChoice.CENTRAL, scene)
    return embedder.embed(crop_face(scene, chosen, embedder.card.input.spec)[None])[0]


def test_the_embedding_of_a_known_face_has_not_moved(
    detector: FaceDetector, embedder: FaceEmbedder, astronaut: Image.Image
) -> None:
    scene = photograph(astronaut)
    (found,) = detector.detect(scene)
    embedding = embedder.embed(crop_face(scene, found, embedder.card.input.spec)[None])[0]
    np.testing.assert_allclose(embedding[:8], GOLDEN, atol=5e-3)  # eight-bit steps: another runtime may round otherwise
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_its_card_backs_thresholds_with_pairs_and_names_its_data(embedder: FaceEmbedder) -> None:
    card = embedder.card
    assert (card.embedding_size, card.input.crop_px) == (128, 112)
    assert [point.far for point in card.calibration.operating_points] == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
    assert card.calibration.curve[-1].far <= 1e-6
    assert card.calibration.impostor_pairs > 10_000_000
    assert card.calibration.min_far <= card.calibration.curve[-1].far
    assert {"data", "overlap", "teacher", "terms", "commit"} <= card.provenance.keys()
    assert card.results["lfw_view2"]["accuracy"] >= 0.98


def test_lfw_pairs_are_told_apart_as_the_card_says(detector: FaceDetector, embedder: FaceEmbedder, lfw: Path) -> None:
    """60 same and 60 different pairs of View 1: a few percent may fail, not more."""
    rows = [row.split("\t") for row in (lfw / "pairsDevTest.txt").read_text().splitlines()[1:]]
    right = 0
    for row in [*rows[:500:9], *rows[500::9]]:
        names = [(row[0], row[1]), (row[0], row[2]) if len(row) == 3 else (row[2], row[3])]
        paths = [lfw / "images" / name / f"{name}_{int(number):04d}.jpg" for name, number in names]
        first, second = (embed(path.read_bytes(), detector, embedder) for path in paths)
        right += is_match(squared_l2(first, second), embedder.card.threshold_at_far(0.01)) == (len(row) == 3)
    assert right / 112 >= 0.95
