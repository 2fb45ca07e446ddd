"""The words of the domain, as frozen values and two functions. Imports numpy and nothing else.

Frames and units: every coordinate is in pixels of the *upright, full-resolution* photograph (EXIF turned),
x to the right and y down, whatever scale detection ran at. Embeddings are unit vectors, float32, shape (128,)
for the shipped model. The one distance is squared L2 between unit vectors: 0 same, 4 opposite.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]

DEFAULT_GALLERY = "default"


def squared_l2(a: Embedding, b: Embedding) -> float:
    """Squared L2 distance of two unit vectors, in [0, 4] (FaceNet, section 3.1)."""
    difference = a.astype(np.float64) - b.astype(np.float64)
    return min(float(difference @ difference), 4.0)


def is_match(squared_l2: float, threshold: float) -> bool:
    """The decision, in one place: calibration and service accept strictly below the threshold."""
    return squared_l2 < threshold


def similarity(squared_l2: float) -> float:
    """Plain cosine similarity of two unit vectors at this distance."""
    return 1.0 - squared_l2 / 2.0


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


class ClusterMethod(StrEnum):
    """How faces are put into groups."""

    AGGLOMERATIVE = "agglomerative"  # by the mean distance between groups: chains of look-alikes stay apart
    DBSCAN = "dbscan"  # whoever resembles any face of a group belongs to it


class DuplicatePolicy(StrEnum):
    """What enrolment does when the face already belongs to another subject."""

    REPORT = "report"
    REJECT = "reject"
    ALLOW = "allow"


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


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A measured false-accept rate of one comparison and the threshold that gives it."""

    far: float
    threshold: float
    impostor_pairs: int


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A measured rate with its 95 % interval."""

    estimate: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer to "do these two photographs show the same face?"."""

    verified: bool
    distance: float
    threshold: float
    far: float | None  # FAR of the threshold; None where the calibration does not say
    distance_far: RateEstimate | None
    face1: EmbeddedFace
    face2: EmbeddedFace
    took_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class SubjectVerification:
    """The answer to "is this the face of that subject?"; `nearest` is the nearest of the subject's faces."""

    verified: bool
    distance: float
    threshold: float
    far: float | None
    distance_far: RateEstimate | None
    face: EmbeddedFace
    nearest: "Candidate"
    gallery: str
    took_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class GalleryState:
    """What a search was made against."""

    name: str
    revision: int
    subjects: int
    faces: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject's nearest face to the probe; ranks start at 1."""

    subject_id: str
    name: str | None
    face_id: str
    distance: float
    rank: int


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFace:
    """One face of the probe photograph; it is unknown when no candidate is below the threshold.

    `nearest` are the subjects found, whether or not they are below it.
    """

    face: MeasuredFace
    candidates: list[Candidate]
    nearest: list[Candidate]
    embedding: Embedding

    @property
    def status(self) -> str:
        return "identified" if self.candidates else "unknown"


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer to "whose face is this?" for every face of a photograph that was asked for."""

    gallery: GalleryState
    threshold: float
    fpir: float | None
    calibrated: bool
    faces: list[IdentifiedFace]
    faces_found: int
    took_ms: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face about to be stored. `content_sha256` is of the uploaded bytes: the same photograph twice is one face.

    The crop is stored with it if there is one.
    """

    embedding: Embedding
    content_sha256: str
    crop: FaceCrop | None = None


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face the gallery holds, or held already when `existed`."""

    face_id: str
    existed: bool


@dataclass(frozen=True, slots=True)
class EnrolledSubject:
    """What a committed enrolment did."""

    subject_id: str
    created: bool
    revision: int
    faces: list[StoredFace]


@dataclass(frozen=True, slots=True)
class Subject:
    """A person of a gallery as the database knows them."""

    subject_id: str
    gallery: str
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    faces: int
    expires_at: datetime | None = None


class SubjectChanges(TypedDict, total=False):
    """What can be changed of a subject; what is left out stays."""

    name: str | None
    metadata: Mapping[str, Any]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ErasedSubject:
    """How many faces went with a subject, and the revision from which no replica finds them."""

    faces: int
    revision: int


@dataclass(frozen=True, slots=True)
class ErasedGallery:
    """What went with a gallery, and the revision from which no replica knows it."""

    subjects: int
    faces: int
    revision: int


@dataclass(frozen=True, slots=True)
class GalleryFace:
    """A face of a subject, without its embedding; `crop_kept` says whether its crop is stored."""

    face_id: str
    created_at: datetime
    crop_kept: bool


@dataclass(frozen=True, slots=True)
class CollectionFace:
    """A face of a gallery and whose it is."""

    face_id: str
    subject_id: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """A gallery as the database knows it."""

    name: str
    created_at: datetime
    subjects: int
    faces: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another subject whose face is as near as an identification demands; `distance` is of its nearest face."""

    subject_id: str
    distance: float


@dataclass(frozen=True, slots=True)
class EnrolledImage:
    """What became of one photograph of an enrolment; `image` is its position in the request, from 0.

    Either `face_id` is set, or `reasons` holds the codes of `app.errors` with `detail` and the facts `measured`, or why
    the face's quality is too low with what was `measured` and `required`.
    `existed`: the subject had this very photograph already. `own_distance` is the squared L2 distance to the subject's
    nearest other face, None where there is none; an `outlier` is farther from all of them than faces of one person
    should be.
    """

    image: int
    face_id: str | None = None
    existed: bool = False
    own_distance: float | None = None
    outlier: bool = False
    face: EmbeddedFace | None = None
    reasons: tuple[str, ...] = ()
    detail: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    required: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "rejected" if self.face_id is None else "enrolled"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A committed enrolment; `indexed` says whether it can be found on this replica already."""

    subject: EnrolledSubject
    indexed: bool
    images: list[EnrolledImage]
    duplicates: list[Duplicate]
    took_ms: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredFace:
    """A face and the photograph that shows it; `image` is its position in the request, from 0."""

    image: int
    face: MeasuredFace


@dataclass(frozen=True, slots=True)
class ClusteredImage:
    """What became of one photograph; where it could not be read, `reasons` holds the codes of `app.errors`."""

    image: int
    faces: int = 0
    reasons: tuple[str, ...] = ()
    detail: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "rejected" if self.reasons else "read"


@dataclass(frozen=True, slots=True)
class Clustering:
    """Groups of faces that are one person each, the largest first."""

    groups: list[list[ClusteredFace]]
    images: list[ClusteredImage]
    threshold: float
    far: float | None
    method: ClusterMethod
    took_ms: dict[str, float]
