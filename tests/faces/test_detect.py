"""The detector against the package it comes from, on real photographs."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from app.domain import DetectedFace
from app.faces.area import AreaTables
from app.faces.decode import ImageLimits, decode
from app.faces.detect import DetectorOptions, FaceDetector
from tests.conftest import encoded
from tests.faces.conftest import WEIGHTS, photograph
from tests.faces.reference import MISSING, ReferenceDetector

LFW_PHOTOGRAPHS = 100
MIN_FACE_PX = 40.0


@pytest.fixture(scope="module")
def reference() -> ReferenceDetector:
    if MISSING:
        pytest.skip("facenet-pytorch is not installed; `make train-env` installs it")
    return ReferenceDetector()


@pytest.fixture(scope="module")
def thorough() -> FaceDetector:
    """O-Net sees every window, as in the package."""
    return FaceDetector(WEIGHTS, DetectorOptions(sure=1.0))


def assert_same_faces(detector: FaceDetector, reference: ReferenceDetector, pixels: np.ndarray) -> int:
    """The same faces, to rounding; returns their number.

    Between its networks MTCNN cuts windows to whole pixels. Coordinates of a few thousand are right to 2e-4, and where
    that decides which pixel it is, a box may move by as much.
    """
    expected_boxes, expected_landmarks = reference.find(pixels, MIN_FACE_PX)
    ((boxes, landmarks),) = detector.find(AreaTables([pixels]), MIN_FACE_PX)
    assert len(boxes) == len(expected_boxes)
    if len(boxes):
        ours, theirs = np.lexsort(boxes[:, :2].round().T), np.lexsort(expected_boxes[:, :2].round().T)
        box_px = np.abs(boxes[ours, :4] - expected_boxes[theirs, :4]).max(1)
        landmark_px = np.abs(landmarks[ours] - expected_landmarks[theirs]).max((1, 2))
        for moved_px in (box_px, landmark_px):
            assert (moved_px > 0.01).sum() <= len(boxes) // 10
            assert moved_px.max() < 2
    return len(boxes)


def test_a_hundred_lfw_photographs_have_the_faces_that_the_package_finds(
    thorough: FaceDetector, reference: ReferenceDetector, lfw: Path
) -> None:
    paths = sorted((lfw / "images").glob("*/*.jpg"))
    found = [
        assert_same_faces(thorough, reference, decode(path.read_bytes(), ImageLimits()).pixels)
        for path in paths[:: len(paths) // LFW_PHOTOGRAPHS][:LFW_PHOTOGRAPHS]
    ]
    assert len(found) == LFW_PHOTOGRAPHS
    assert sum(found) >= LFW_PHOTOGRAPHS


def test_windows_of_equal_score_rank_as_in_the_package(
    thorough: FaceDetector, reference: ReferenceDetector, lfw: Path
) -> None:
    # Its best two windows have probability 1 to the last bit.
    path = lfw / "images" / "Faisal_Iqbal" / "Faisal_Iqbal_0001.jpg"
    assert assert_same_faces(thorough, reference, decode(path.read_bytes(), ImageLimits()).pixels) == 1


def test_a_crowd_of_twelve_megapixels_has_the_faces_that_the_package_finds(
    thorough: FaceDetector, reference: ReferenceDetector, lfw: Path
) -> None:
    paths = sorted((lfw / "images").glob("*/*.jpg"))[::90]
    photographs = [decode(path.read_bytes(), ImageLimits()).pixels for path in paths[:12]]
    grey = np.full((3000, 4000, 3), 128, np.uint8)
    for i, pixels in enumerate(photographs):
        top, left = 700 * (i // 4) + 111, 950 * (i % 4) + 37
        grey[top : top + 250, left : left + 250] = pixels
    assert assert_same_faces(thorough, reference, grey) >= len(photographs)


@pytest.mark.parametrize("size", [(512, 512), (1600, 1200), (2400, 3200)])
def test_photographs_of_any_size_have_the_faces_that_the_package_finds(
    thorough: FaceDetector, reference: ReferenceDetector, astronaut: Image.Image, size: tuple[int, int]
) -> None:
    scene = Image.new("RGB", size, "grey")
    for i, side in enumerate((512, 300, 900)):
        scene.paste(astronaut.resize((side, side)), (i * size[0] // 3, i * size[1] // 3))
    assert assert_same_faces(thorough, reference, np.asarray(scene)) >= 1


def overlap(one: DetectedFace, other: DetectedFace) -> float:
    """Intersection over union of two faces' boxes."""
    width = min(one.box.right, other.box.right) - max(one.box.left, other.box.left)
    height = min(one.box.bottom, other.box.bottom) - max(one.box.top, other.box.top)
    shared = max(width, 0) * max(height, 0)
    return shared / (one.box.area + other.box.area - shared)


def test_where_onet_sees_fewer_windows_the_same_faces_are_found_and_those_in_doubt_as_confidently(
    detector: FaceDetector, thorough: FaceDetector, lfw: Path
) -> None:
    doubted = 0
    for path in sorted((lfw / "images").glob("*/*.jpg"))[::30]:
        scene = decode(path.read_bytes(), ImageLimits())
        ours, theirs = detector.detect(scene), thorough.detect(scene)
        assert len(ours) == len(theirs)
        for expected in theirs:
            found = max(ours, key=lambda face: overlap(face, expected))
            assert overlap(found, expected) > 0.5
            moved = np.linalg.norm(found.landmarks - expected.landmarks, axis=1).mean()
            assert moved < 0.2 * expected.face_px
            if expected.confidence < detector.options.sure:
                doubted += 1
                assert (found.box, found.confidence) == (expected.box, expected.confidence)
    assert doubted


@pytest.mark.parametrize("overlapping", [0.1, 0.2, 0.3])
def test_two_faces_cheek_to_cheek_are_both_found(
    detector: FaceDetector, astronaut: Image.Image, overlapping: float
) -> None:
    """The left one's box reaches into the right one's by this share of its width, and each hides half of that."""
    (found,) = detector.detect(photograph(astronaut))
    left, width = found.box.left, found.box.width
    apart = round(width * (1 - overlapping))
    scene = Image.new("RGB", (astronaut.width + apart, astronaut.height), "grey")
    scene.paste(astronaut, (apart, 0))
    scene.paste(astronaut.crop((0, 0, round(left + width * (1 - overlapping / 2)), astronaut.height)), (0, 0))
    faces = sorted(detector.detect(photograph(scene)), key=lambda face: face.box.left)
    assert [face.box.centre[0] for face in faces] == pytest.approx(
        [found.box.centre[0], found.box.centre[0] + apart], abs=width / 4
    )


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


def cropped_to(found: DetectedFace, image: Image.Image, share: float) -> tuple[Image.Image, np.ndarray]:
    """The middle of the face's box, `share` of it, and where the landmarks are in it."""
    (x, y), width, height = found.box.centre, found.box.width * share / 2, found.box.height * share / 2
    left, top = max(round(x - width), 0), max(round(y - height), 0)
    return image.crop((left, top, round(x + width), round(y + height))), found.landmarks - [left, top]


def misplaced(detector: FaceDetector, crop: Image.Image, landmarks: np.ndarray) -> float:
    """Mean distance of landmarks from where they should be, in distances between the eyes; infinite without a face."""
    found = detector.detect(photograph(crop))
    if not found:
        return np.inf
    largest = max(found, key=lambda face: face.box.area)
    return np.linalg.norm(largest.landmarks - landmarks, axis=1).mean() / np.linalg.norm(landmarks[0] - landmarks[1])


@pytest.mark.parametrize(("share", "enlarged"), [(1.2, 1), (1.0, 1), (0.85, 1), (1.0, 7), (0.85, 7)])
def test_a_second_look_places_the_landmarks_of_a_face_that_fills_its_photograph(
    detector: FaceDetector, thorough: FaceDetector, astronaut: Image.Image, share: float, enlarged: int
) -> None:
    (found,) = thorough.detect(photograph(astronaut))[:1]
    crop, landmarks = cropped_to(found, astronaut, share)
    crop = crop.resize((crop.width * enlarged, crop.height * enlarged), Image.Resampling.BICUBIC)
    assert misplaced(detector, crop, landmarks * enlarged) < 0.1


def test_a_second_look_finds_what_the_first_misses_and_misplaces_on_tight_crops(
    detector: FaceDetector, lfw: Path
) -> None:
    plain = FaceDetector(WEIGHTS, DetectorOptions(second_look=False))
    errors = []
    for path in sorted((lfw / "images").glob("*/*.jpg"))[::150]:
        image = Image.open(path)
        found = max(plain.detect(photograph(image)), key=lambda face: face.box.area)
        crop, landmarks = cropped_to(found, image, 0.9)
        errors.append((misplaced(plain, crop, landmarks), misplaced(detector, crop, landmarks)))
    one_look, two_looks = (np.array(errors) < 0.2).mean(axis=0)
    assert one_look < 0.5
    assert two_looks > 0.9


def test_a_second_look_leaves_other_photographs_alone(detector: FaceDetector, astronaut: Image.Image) -> None:
    plain = FaceDetector(WEIGHTS, DetectorOptions(second_look=False))
    scene = photograph(astronaut)
    assert [face.box for face in detector.detect(scene)] == [face.box for face in plain.detect(scene)]


def test_a_second_look_does_not_report_a_face_twice(detector: FaceDetector, astronaut: Image.Image) -> None:
    (found,) = detector.detect(photograph(astronaut))[:1]
    crop, _ = cropped_to(found, astronaut, 1.2)
    assert len(detector.detect(photograph(crop))) == 1


def test_photographs_looked_at_together_have_the_faces_that_each_has_alone(
    detector: FaceDetector, astronaut: Image.Image, two_faces: bytes
) -> None:
    """Small and large ones, a tight crop that calls for a second look, and some without a face or too small for one."""
    (found,) = detector.detect(photograph(astronaut))[:1]
    scenes = [
        photograph(astronaut.resize((250, 250))),
        photograph(np.full((5, 300, 3), 128, np.uint8)),
        photograph(cropped_to(found, astronaut, 1.0)[0]),
        decode(two_faces, ImageLimits()),
        photograph(np.full((200, 100, 3), 90, np.uint8)),
        photograph(astronaut.resize((900, 900))),
        photograph(astronaut.resize((300, 200))),
    ]
    together = detector.detect_all(scenes)
    assert [len(faces) for faces in together] == [1, 0, 1, 2, 0, 1, 1]
    for scene, faces in zip(scenes, together, strict=True):
        for one, other in zip(faces, detector.detect(scene), strict=True):
            assert one.box == other.box
            np.testing.assert_array_equal(one.landmarks, other.landmarks)
    assert detector.detect_all([]) == []


FACELESS = ("coffee", "rocket", "chelsea", "brick", "grass", "gravel", "coins", "page", "text", "clock", "moon",
            "immunohistochemistry", "hubble_deep_field", "checkerboard", "horse", "colorwheel", "cell")  # fmt: skip


@pytest.mark.parametrize("name", FACELESS)
def test_pictures_without_a_face_have_none_at_a_second_look_either(detector: FaceDetector, name: str) -> None:
    picture = Image.fromarray(np.asarray(getattr(skimage.data, name)())).convert("RGB")
    assert detector.detect(photograph(picture)) == []


def test_noise_has_no_face(detector: FaceDetector) -> None:
    rng = np.random.default_rng(0)
    for side in (60, 113, 250, 600):
        assert detector.detect(photograph(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))) == []


def test_no_more_faces_come_back_than_allowed_and_the_most_confident_first(
    detector: FaceDetector, two_faces: bytes
) -> None:
    scene = decode(two_faces, ImageLimits())
    both = detector.detect(scene)
    (best,) = FaceDetector(WEIGHTS, DetectorOptions(max_faces=1)).detect(scene)
    assert len(both) == 2
    assert best.confidence == max(face.confidence for face in both)


@pytest.mark.parametrize("shape", [(1, 1), (11, 300), (300, 11), (12, 12), (40, 40), (30, 5000)])
def test_photographs_too_small_or_too_thin_for_a_face_have_none(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(photograph(np.full((*shape, 3), 128, np.uint8))) == []
