"""Measures of quality: on faces made to measure, and on a real one made worse."""

import io
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.domain import Box, DetectedFace, FaceQuality
from app.faces import quality
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from app.faces.quality import QualityRequirements, measure, outside_share, pose_of, shortfalls
from app.settings import Settings
from tests.conftest import encoded

SPEC = CropSpec()
GOOD = FaceQuality(
    face_px=150.0,
    eye_distance_px=60.0,
    yaw_degrees=0.0,
    pitch_degrees=0.0,
    roll_degrees=0.0,
    sharpness=0.4,
    brightness=0.5,
    contrast=0.15,
    confidence=0.999,
    outside_share=0.0,
)


def projected(yaw: float, pitch: float, roll: float) -> NDArray[np.float32]:
    """The face in space turned by these degrees, seen from far away: yaw right, pitch up, roll clockwise."""
    y, p, r = np.radians([-yaw, -pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = quality._FACE_3D @ (about_z @ about_x @ about_y).T
    return (points[:, :2] * 70 + 200).astype(np.float32)


def look(image: Image.Image, detector: FaceDetector) -> FaceQuality:
    photograph = decode(encoded(image, "PNG"), ImageLimits())
    (face, *_) = detector.detect(photograph)
    return measure(face, crop_face(photograph, face, SPEC), SPEC, (photograph.width, photograph.height))


@pytest.mark.parametrize("yaw", [-50, 0, 25])
@pytest.mark.parametrize("pitch", [-30, 0, 20])
@pytest.mark.parametrize("roll", [-120, 0, 40])
def test_the_pose_of_a_face_turned_in_space_is_found(yaw: float, pitch: float, roll: float) -> None:
    pose = pose_of(projected(yaw, pitch, roll))
    assert (pose.yaw_degrees, pose.pitch_degrees, pose.roll_degrees) == pytest.approx((yaw, pitch, roll), abs=0.01)


def test_a_face_that_looks_to_the_right_of_the_photograph_has_its_nose_there() -> None:
    nose, eyes = 2, slice(0, 2)
    right, up = projected(30, 0, 0), projected(0, 20, 0)
    assert right[nose, 0] > right[eyes, 0].mean() + 10
    assert up[nose, 1] < projected(0, 0, 0)[nose, 1] - 5


def test_landmarks_in_one_point_have_no_pose() -> None:
    assert pose_of(np.full((5, 2), 7, np.float32)) == quality.Pose(0, 0, 0)


def test_sharpness_does_not_depend_on_light() -> None:
    detail = np.random.default_rng(0).random((60, 60)).astype(np.float32)
    assert quality.sharpness(detail * 0.1 + 0.05) == pytest.approx(quality.sharpness(detail), rel=1e-4)
    assert quality.sharpness(np.full((60, 60), 0.5, np.float32)) == 0


def test_a_real_face_is_less_sharp_when_blurred_or_small(astronaut: Image.Image, detector: FaceDetector) -> None:
    as_taken = look(astronaut, detector).sharpness
    blurred = [look(astronaut.filter(ImageFilter.GaussianBlur(radius)), detector).sharpness for radius in (1, 2, 4)]
    assert as_taken > blurred[0] > blurred[1] > blurred[2]
    assert look(astronaut.resize((256, 256)), detector).sharpness < as_taken


def test_brightness_and_contrast_are_those_of_the_face(astronaut: Image.Image, detector: FaceDetector) -> None:
    as_taken = look(astronaut, detector)
    darker = look(astronaut.point(lambda value: value // 2), detector)
    assert darker.brightness == pytest.approx(as_taken.brightness / 2, abs=0.02)
    assert darker.contrast == pytest.approx(as_taken.contrast / 2, abs=0.02)
    assert 0.2 < as_taken.brightness < 0.8


def test_sizes_are_in_pixels_of_the_photograph(astronaut: Image.Image, detector: FaceDetector) -> None:
    small, large = look(astronaut, detector), look(astronaut.resize((1024, 1024)), detector)
    assert large.face_px == pytest.approx(2 * small.face_px, rel=0.1)
    assert large.eye_distance_px == pytest.approx(2 * small.eye_distance_px, rel=0.1)
    assert small.eye_distance_px < small.face_px


@pytest.mark.parametrize(("shift", "share"), [((0, 0), 0.0), ((-56, 0), 0.5), ((0, 84), 0.75), ((500, 0), 1.0)])
def test_what_the_frame_cuts_off_is_a_share_of_the_crop(shift: tuple[int, int], share: float) -> None:
    landmarks = np.array(SPEC.template, np.float32) + np.array(shift, np.float32)
    face = DetectedFace(Box(0, 0, 112, 112), 1.0, landmarks)
    assert outside_share(face, SPEC, (112, 112)) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("measure", "requirement", "value", "reason"),
    [
        ("face_px", "min_face_px", 39.9, "small_face"),
        ("eye_distance_px", "min_eye_distance_px", 10.0, "small_face"),
        ("yaw_degrees", "max_yaw_degrees", -48.0, "extreme_pose"),
        ("pitch_degrees", "max_pitch_degrees", 48.0, "extreme_pose"),
        ("roll_degrees", "max_roll_degrees", -60.0, "extreme_pose"),
        ("sharpness", "min_sharpness", 0.05, "blurred"),
        ("brightness", "min_brightness", 0.05, "too_dark"),
        ("brightness", "max_brightness", 0.95, "too_bright"),
        ("contrast", "min_contrast", 0.01, "low_contrast"),
        ("confidence", "min_confidence", 0.7, "uncertain_face"),
        ("outside_share", "max_outside_share", 0.4, "cut_off"),
    ],
)
def test_a_measure_is_required_strictly_up_to_its_limit(
    measure: str, requirement: str, value: float, reason: str
) -> None:
    worse = FaceQuality(**{field.name: getattr(GOOD, field.name) for field in fields(GOOD)} | {measure: value})
    assert shortfalls(worse, QualityRequirements(**{requirement: abs(value)})) == ()
    beyond = abs(value) * (1.01 if requirement.startswith("min") else 0.99)
    (shortfall,) = shortfalls(worse, lax(**{requirement: beyond}))
    assert (shortfall.reason, shortfall.measure) == (reason, measure)
    assert (shortfall.measured, shortfall.required) == (abs(value), beyond)


def lax(**required: float) -> QualityRequirements:
    """Requirements that nothing falls short of but those given."""
    bounds = {field.name: 0.0 if field.name.startswith("min") else 180.0 for field in fields(QualityRequirements)}
    return QualityRequirements(**bounds | required)


def test_reasons_are_named_once_and_measures_each() -> None:
    required = lax(min_face_px=200.0, min_eye_distance_px=80.0, max_brightness=0.4)
    poor = FaceQuality(**{field.name: getattr(GOOD, field.name) for field in fields(GOOD)})
    found = shortfalls(poor, required)
    assert [str(shortfall) for shortfall in found] == [
        "face_px is 150, at least 200 is required",
        "eye_distance_px is 60, at least 80 is required",
        "brightness is 0.5, at most 0.4 is required",
    ]
    short = FaceQuality(**{field.name: getattr(GOOD, field.name) for field in fields(GOOD)} | {"shortfalls": found})
    assert not short.acceptable
    assert short.reasons == ("small_face", "too_bright")
    assert short.measured == {"face_px": 150.0, "eye_distance_px": 60.0, "brightness": 0.5}
    assert short.required == {"face_px": 200.0, "eye_distance_px": 80.0, "brightness": 0.4}


def test_the_settings_require_by_default_what_the_measures_were_judged_with() -> None:
    configured = Settings.model_fields
    for field in fields(QualityRequirements):
        assert configured[f"quality_{field.name}"].default == getattr(QualityRequirements(), field.name)


def test_few_ordinary_photographs_fall_short(lfw: Path, detector: FaceDetector) -> None:
    paths = sorted((lfw / "images").glob("*/*_0001.jpg"))[::100]
    qualities = [look(Image.open(io.BytesIO(path.read_bytes())), detector) for path in paths]
    short = [quality for quality in qualities if shortfalls(quality, QualityRequirements())]
    assert len(paths) > 40
    assert len(short) <= 0.05 * len(paths)
