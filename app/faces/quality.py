"""How well a face can be compared: measures of it, and what is required of each.

The picture's measures are taken from the crop that the embedder sees, so they speak of what it works with: a face of
few pixels is blurred there however sharp its photograph is. docs/quality.md has the figures behind the defaults.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.domain import DetectedFace, FaceQuality, MeasuredFace, Shortfall
from app.faces.crop import CropSpec, similarity_transform
from app.faces.decode import Pixels

# A face's five landmarks in space, in distances between the eyes: x to the right, y down, z away from the viewer. Eyes
# and mouth lie as in the crop's template; the nose is 27 mm before eyes 63 mm apart, the means of adults, and as far
# below them as puts the median pitch of ordinary photographs at nought.
_FACE_3D = np.array(
    [[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.003, 0.645, -0.43], [-0.407, 1.157, -0.03], [0.421, 1.152, -0.03]]
)
_FIT_3D: NDArray[np.float64] = np.linalg.pinv(_FACE_3D - _FACE_3D.mean(0))

# The part of the crop that is face whoever it is, in shares of its side: top, bottom, left, right.
_FACE_PART = (0.30, 0.92, 0.22, 0.78)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255.0)  # ITU-R BT.601
# The middles of 16 x 16 squares, in shares of the crop's side: x and y.
_GRID_POINTS: NDArray[np.float64] = (np.indices((16, 16)).reshape(2, -1)[::-1] + 0.5) / 16


@dataclass(frozen=True, slots=True)
class QualityRequirements:
    """What a face must measure to be enrolled; units as in `FaceQuality`, reasons in docs/quality.md."""

    min_face_px: float = 24.0
    min_eye_distance_px: float = 12.0
    max_yaw_degrees: float = 50.0
    max_pitch_degrees: float = 45.0
    max_roll_degrees: float = 75.0
    min_sharpness: float = 0.13
    min_brightness: float = 0.08
    max_brightness: float = 0.94
    min_contrast: float = 0.02
    min_confidence: float = 0.95
    max_outside_share: float = 0.4


@dataclass(frozen=True, slots=True)
class Pose:
    """Of a head, in degrees: yaw to the right of the photograph, pitch upwards, roll clockwise."""

    yaw_degrees: float
    pitch_degrees: float
    roll_degrees: float


def pose_of(landmarks: NDArray[np.float32]) -> Pose:
    """The pose that explains five landmarks best, float32 (5, 2), seen from far away (POS: DeMenthon, Davis 1995).

    Good to about ten degrees: people's noses differ, and five points are few. Landmarks in one point give zeros.
    """
    centred = landmarks.astype(np.float64) - landmarks.mean(0)
    left, scale, right = np.linalg.svd((_FIT_3D @ centred).T, full_matrices=False)
    if scale[1] < 1e-9:
        return Pose(0.0, 0.0, 0.0)
    # The two rows of a rotation that are nearest to the fit, as plain numbers, and the third, at right angles to them.
    (ax, ay, az), (dx, dy, dz) = (left @ right).tolist()
    fx, fy, fz = ay * dz - az * dy, az * dx - ax * dz, ax * dy - ay * dx
    yaw, pitch, roll = math.atan2(fx, fz), -math.asin(min(max(fy, -1.0), 1.0)), math.atan2(-ay, dy)
    return Pose(math.degrees(yaw), math.degrees(pitch), math.degrees(roll))


def measure(face: DetectedFace, crop: Pixels, spec: CropSpec, size_px: tuple[int, int]) -> FaceQuality:
    """Measure a face; `crop` is `crop_face`'s, `size_px` the photograph's full width and height in pixels."""
    luma = _luma_of_face(crop)
    pose = pose_of(face.landmarks)
    # Rounded here, so that what is shown is what was compared.
    return FaceQuality(
        face_px=round(face.face_px, 1),
        eye_distance_px=round(float(np.hypot(*(face.landmarks[1] - face.landmarks[0]))), 1),
        yaw_degrees=round(pose.yaw_degrees, 1),
        pitch_degrees=round(pose.pitch_degrees, 1),
        roll_degrees=round(pose.roll_degrees, 1),
        sharpness=round(sharpness(luma), 3),
        brightness=round(float(luma.mean()), 3),
        contrast=round(float(luma.std()), 3),
        confidence=round(face.confidence, 4),
        outside_share=round(outside_share(face, spec, size_px), 3),
    )


def measured_face(
    face: DetectedFace, crop: Pixels, spec: CropSpec, size_px: tuple[int, int], required: QualityRequirements
) -> MeasuredFace:
    """The face with its quality and what that falls short of; see `measure`."""
    quality = measure(face, crop, spec, size_px)
    quality = replace(quality, shortfalls=shortfalls(quality, required))
    return MeasuredFace(face.box, face.confidence, face.landmarks, quality)


def sharpness(luma: NDArray[np.float32]) -> float:
    """How much of the contrast is in the finest detail: deviation of the Laplacian over that of the luma."""
    laplacian = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    return float(laplacian.std() / max(float(luma.std()), 1e-3))


def outside_share(face: DetectedFace, spec: CropSpec, size_px: tuple[int, int]) -> float:
    """Share of the crop that lies outside the photograph, 0 to 1: what the frame cuts off of the face."""
    transform = similarity_transform(np.array(spec.template, np.float64), face.landmarks.astype(np.float64))
    x, y = transform[:2, :2] @ (_GRID_POINTS * spec.crop_px) + transform[:2, 2:]
    inside = (x >= 0) & (x <= size_px[0]) & (y >= 0) & (y <= size_px[1])
    return 1.0 - float(inside.mean())


def _luma_of_face(crop: Pixels) -> NDArray[np.float32]:
    side = len(crop)
    top, bottom, left, right = (round(share * side) for share in _FACE_PART)
    luma: NDArray[np.float32] = crop[top:bottom, left:right].astype(np.float32) @ _LUMA
    return luma


def shortfalls(quality: FaceQuality, required: QualityRequirements) -> tuple[Shortfall, ...]:
    """Every measure that is not what is required."""
    least = [
        ("small_face", "face_px", required.min_face_px),
        ("small_face", "eye_distance_px", required.min_eye_distance_px),
        ("blurred", "sharpness", required.min_sharpness),
        ("too_dark", "brightness", required.min_brightness),
        ("low_contrast", "contrast", required.min_contrast),
        ("uncertain_face", "confidence", required.min_confidence),
    ]
    most = [
        ("extreme_pose", "yaw_degrees", required.max_yaw_degrees),
        ("extreme_pose", "pitch_degrees", required.max_pitch_degrees),
        ("extreme_pose", "roll_degrees", required.max_roll_degrees),
        ("too_bright", "brightness", required.max_brightness),
        ("cut_off", "outside_share", required.max_outside_share),
    ]
    below = [_shortfall(quality, *row) for row in least if getattr(quality, row[1]) < row[2]]
    above = [_shortfall(quality, *row) for row in most if abs(getattr(quality, row[1])) > row[2]]
    return (*below, *above)


def _shortfall(quality: FaceQuality, reason: str, measure: str, required: float) -> Shortfall:
    return Shortfall(reason, measure, abs(getattr(quality, measure)), required)
