"""A face of a photograph: where it is, how well it can be compared, and what is made of it.

Every coordinate is in pixels of the upright photograph; see `app.domain`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.domain.embedding import Embedding


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned rectangle in pixels; right and bottom are exclusive edges."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFace:
    """One face the detector found.

    `landmarks` is float32 (5, 2), x then y: left eye, right eye, nose, left and right mouth corner, where left
    is the viewer's left. `confidence` is the detector's own probability, 0 to 1; it is not a match score.
    """

    box: Box
    confidence: float
    landmarks: NDArray[np.float32]

    @property
    def face_px(self) -> float:
        """Shorter side of the box, the size that quality gates speak of."""
        return min(self.box.width, self.box.height)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A measure of a face that is not what is required; angles are compared without their sign."""

    reason: str
    measure: str
    measured: float
    required: float

    def __str__(self) -> str:
        bound = "at least" if self.measured < self.required else "at most"
        return f"{self.measure} is {self.measured:g}, {bound} {self.required:g} is required"


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measures of a face. Those of the picture are of the levelled crop that is embedded, in the part that is face.

    `eye_distance_px`: between the eyes, in pixels of the photograph, as `face_px` is. `yaw_degrees` to the right of the
    photograph, `pitch_degrees` upwards, `roll_degrees` clockwise. `sharpness`: deviation of the Laplacian over that of
    the luma. `brightness`, `contrast`: mean and standard deviation of the luma, 0 to 1. `confidence`: the detector's.
    `outside_share`: of the crop, beyond the frame of the photograph.
    """

    face_px: float
    eye_distance_px: float
    yaw_degrees: float
    pitch_degrees: float
    roll_degrees: float
    sharpness: float
    brightness: float
    contrast: float
    confidence: float
    outside_share: float
    shortfalls: tuple[Shortfall, ...] = ()

    @property
    def acceptable(self) -> bool:
        """Whether a face may be enrolled with."""
        return not self.shortfalls

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, each once."""
        return tuple(dict.fromkeys(shortfall.reason for shortfall in self.shortfalls))

    @property
    def measured(self) -> dict[str, float]:
        """Of the measures that fall short, what they are."""
        return {shortfall.measure: shortfall.measured for shortfall in self.shortfalls}

    @property
    def required(self) -> dict[str, float]:
        """Of the measures that fall short, what they must be."""
        return {shortfall.measure: shortfall.required for shortfall in self.shortfalls}


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredFace(DetectedFace):
    """A detected face and how well it can be compared."""

    quality: FaceQuality


class FaceChoice(StrEnum):
    """Which face stands for the photograph when it shows several."""

    LARGEST = "largest"
    ONLY = "only"  # more than one face is an error
    CENTRAL = "central"  # the protocol of LFW, whose label names the person in the middle


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """An aligned face as it is kept for a later model and for people to look at.

    `webp` is a lossless file of RGB; `template` holds x, y in pixels of it of the five landmarks, in the order of
    `DetectedFace`, as the crop was aligned to them.
    """

    webp: bytes
    template: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFace:
    """A face with its embedding, and how long each stage took in milliseconds; its crop where that was asked for."""

    face: MeasuredFace
    embedding: Embedding
    faces_found: int
    took_ms: dict[str, float] = field(default_factory=dict)
    crop: FaceCrop | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """The faces of one photograph, largest first, out of `faces_found`; its upright size in pixels."""

    faces: list[MeasuredFace]
    faces_found: int
    width_px: int
    height_px: int
    took_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFaces:
    """The embedded faces of one photograph, largest first, out of `faces_found`."""

    faces: list[EmbeddedFace]
    faces_found: int
    took_ms: dict[str, float] = field(default_factory=dict)
