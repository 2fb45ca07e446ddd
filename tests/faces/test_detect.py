"""The detector against the package it comes from, on real photographs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.faces.area import AreaTable
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector, non_maximum
from tests.conftest import encoded
from tests.faces.conftest import photograph
from tests.faces.reference import MISSING, ReferenceDetector

LFW_PHOTOGRAPHS = 100
MIN_FACE_PX = 40.0


@pytest.fixture(scope="module")
def reference() -> ReferenceDetector:
    if MISSING:
        pytest.skip("facenet-pytorch is not installed; `make train-env` installs it")
    return ReferenceDetector()


def assert_same_faces(detector: FaceDetector, reference: ReferenceDetector, pixels: np.ndarray) -> int:
    """Boxes and landmarks within a pixel, the same number of faces; returns that number."""
    expected_boxes, expected_landmarks = reference.find(pixels, MIN_FACE_PX)
    boxes, landmarks = detector.find(AreaTable(pixels), MIN_FACE_PX)
    assert len(boxes) == len(expected_boxes)
    if len(boxes):
        ours, theirs = np.lexsort(boxes[:, :2].round().T), np.lexsort(expected_boxes[:, :2].round().T)
        assert np.abs(boxes[ours, :4] - expected_boxes[theirs, :4]).max() < 1
        assert np.abs(landmarks[ours] - expected_landmarks[theirs]).max() < 1
    return len(boxes)


def test_a_hundred_lfw_photographs_have_the_faces_that_the_package_finds(
    detector: FaceDetector, reference: ReferenceDetector, lfw: Path
) -> None:
    paths = sorted((lfw / "images").glob("*/*.jpg"))
    found = [
        assert_same_faces(detector, reference, decode(path.read_bytes(), ImageLimits()).pixels)
        for path in paths[:: len(paths) // LFW_PHOTOGRAPHS][:LFW_PHOTOGRAPHS]
    ]
    assert len(found) == LFW_PHOTOGRAPHS
    assert sum(found) >= LFW_PHOTOGRAPHS


@pytest.mark.parametrize("size", [(512, 512), (1600, 1200), (2400, 3200)])
def test_photographs_of_any_size_have_the_faces_that_the_package_finds(
    detector: FaceDetector, reference: ReferenceDetector, astronaut: Image.Image, size: tuple[int, int]
) -> None:
    scene = Image.new("RGB", size, "grey")
    for i, side in enumerate((512, 300, 900)):
        scene.paste(astronaut.resize((side, side)), (i * size[0] // 3, i * size[1] // 3))
    assert assert_same_faces(detector, reference, np.asarray(scene)) >= 1


def test_faces_are_where_they_are_in_the_full_photograph_when_it_was_decoded_reduced(
    detector: FaceDetector, astronaut: Image.Image
) -> None:
    data = encoded(astronaut.resize((2048, 2048)), quality=90)
    full, reduced = (decode(data, ImageLimits(), draft_px=draft_px) for draft_px in (None, 512))
    assert (full.scale, reduced.scale) == (1.0, 0.25)
    (large,), (small,) = detector.detect(full)[:1], detector.detect(reduced)[:1]
    assert np.abs(large.landmarks - small.landmarks).max() < 12  # of a face of some 400 pixels
    assert small.face_px == pytest.approx(large.face_px, rel=0.1)


def test_landmarks_come_in_the_order_that_is_documented(detector: FaceDetector, astronaut: Image.Image) -> None:
    (found,) = detector.detect(photograph(astronaut))[:1]
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_a_face_that_fills_its_photograph_is_found_at_a_second_look(
    detector: FaceDetector, astronaut: Image.Image
) -> None:
    (found,) = detector.detect(photograph(astronaut))[:1]
    box = found.box
    tight = astronaut.crop((round(box.left), round(box.top), round(box.right), round(box.bottom)))
    (again,) = detector.detect(photograph(tight))
    expected = found.landmarks - [round(box.left), round(box.top)]
    assert np.abs(again.landmarks - expected).max() < 0.15 * box.height


@pytest.mark.parametrize("shape", [(1, 1), (11, 300), (300, 11), (12, 12), (40, 40), (30, 5000)])
def test_photographs_too_small_or_too_thin_for_a_face_have_none(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(photograph(np.full((*shape, 3), 128, np.uint8))) == []


@pytest.mark.parametrize("of_smaller", [False, True])
def test_non_maximum_keeps_what_a_double_loop_keeps(of_smaller: bool) -> None:
    rng = np.random.default_rng(2)
    corner, size = rng.uniform(0, 60, (80, 2)), rng.uniform(10, 40, (80, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    scores = rng.permutation(80).astype(np.float32)
    kept: list[int] = []
    for i in np.argsort(-scores):
        for j in kept:
            edge = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2])
            shared = max(edge[0], 0) * max(edge[1], 0)
            areas = [np.prod(boxes[k, 2:] - boxes[k, :2]) for k in (i, j)]
            if shared > 0.5 * (min(areas) if of_smaller else sum(areas) - shared):
                break
        else:
            kept.append(i)
    assert non_maximum(boxes, scores, 0.5, of_smaller=of_smaller).tolist() == kept
