"""What a server answers, as frozen values. Members that a newer server adds are kept as they came.

Boxes and landmarks are in pixels of the upright photograph, x to the right, y down. Every distance is a squared L2
distance of unit embeddings, 0 (same) to 4 (opposite). `took_ms` is in milliseconds by stage.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Box(_Result):
    """Right and bottom are exclusive edges."""

    left: float
    top: float
    right: float
    bottom: float


class Quality(_Result):
    """How well a face can be compared; `required` holds what enrolment demands of each measure that falls short.

    `face_px` and `eye_distance_px` are in pixels of the photograph; brightness, contrast and shares are 0 to 1.
    """

    acceptable: bool
    reasons: list[str]
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
    required: dict[str, float]


class Face(_Result):
    """A detected face. `confidence` is the detector's, not a match score; `face_px` the shorter side of the box.

    `landmarks`: eyes, nose, corners of the mouth, the viewer's left first.
    """

    box: Box
    confidence: float
    landmarks: list[tuple[float, float]]
    face_px: float
    quality: Quality


class ProbeFace(Face):
    """The face of a photograph that was used, out of `faces_found`."""

    faces_found: int


class Model(_Result):
    """Which model made the embeddings."""

    id: str
    sha256: str


class Rate(_Result):
    """A measured rate with its 95 % interval."""

    estimate: float
    ci95: tuple[float, float]


class _Decision(_Result):
    verified: bool
    distance: float
    threshold: float
    far: float | None
    similarity: float
    distance_far: Rate | None
    model: Model
    took_ms: dict[str, float]

    def __bool__(self) -> bool:
        """`if client.verify(a, b):` asks what it seems to ask."""
        return self.verified


class Verification(_Decision):
    """Do two photographs show the same face? `far` is the false-accept rate at the threshold."""

    face1: ProbeFace
    face2: ProbeFace


class NearestFace(_Result):
    """The face of a subject that decided."""

    subject_id: str
    name: str | None
    face_id: str


class SubjectVerification(_Decision):
    """Is this the face of that subject?"""

    face: ProbeFace
    subject: NearestFace
    gallery: str


class SearchedGallery(_Result):
    """The gallery as a search saw it."""

    name: str
    revision: int
    subjects: int
    faces: int


class Candidate(_Result):
    """A subject below the threshold, by its nearest face; ranks start at 1."""

    subject_id: str
    name: str | None
    distance: float
    face_id: str
    rank: int


class IdentifiedFace(Face):
    """`status` is `identified` or `unknown`; unknown faces have no candidates."""

    status: str
    candidates: list[Candidate]


class Identification(_Result):
    """Whose faces are these? `fpir` is the chance that a stranger is given any name."""

    gallery: SearchedGallery
    threshold: float
    fpir: float | None
    calibrated: bool
    faces: list[IdentifiedFace]
    faces_found: int
    model: Model
    took_ms: dict[str, float]


class EnrolledImage(_Result):
    """What became of one photograph: `status` is `enrolled`, with a `face_id`, or `rejected`, with `reasons`.

    `image` is its position in the request, from 0; `existed`: the subject had this file already; `outlier`: it does
    not look like the subject's other faces.
    """

    image: int
    status: str
    face_id: str | None = None
    existed: bool = False
    own_distance: float | None = None
    outlier: bool = False
    box: Box | None = None
    confidence: float | None = None
    landmarks: list[tuple[float, float]] | None = None
    face_px: float | None = None
    quality: Quality | None = None
    faces_found: int | None = None
    reasons: list[str] = []
    detail: str | None = None
    measured: dict[str, Any] = {}
    required: dict[str, float] = {}


class Duplicate(_Result):
    """Another subject that the photographs would be identified as."""

    subject_id: str
    distance: float


class Enrolment(_Result):
    """What an enrolment stored; `faces` has one row per photograph, in order."""

    subject_id: str
    created: bool
    indexed: bool
    revision: int
    faces: list[EnrolledImage]
    duplicates: list[Duplicate]
    took_ms: dict[str, float]


class Gallery(_Result):
    """A gallery as the database knows it."""

    name: str
    created_at: datetime
    subjects: int
    faces: int


class ErasedCounts(_Result):
    """How much went."""

    subjects: int | None = None
    faces: int


class Erasure(_Result):
    """What went, and the revision from which no replica finds it."""

    erased: ErasedCounts
    revision: int


class Subject(_Result):
    """A person of a gallery; `faces` are those of the served model. `indexed` is told after a change only."""

    subject_id: str
    gallery: str
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    faces: int
    indexed: bool | None = None


class StoredFace(_Result):
    """A face of a subject, without its embedding; `crop_kept`: there is a picture of it."""

    face_id: str
    created_at: datetime
    crop_kept: bool = False


class GalleryPage(_Result):
    """`next_cursor` is None on the last page."""

    items: list[Gallery]
    next_cursor: str | None


class SubjectPage(_Result):
    """`next_cursor` is None on the last page."""

    items: list[Subject]
    next_cursor: str | None


class FacePage(_Result):
    """All faces of a subject; they fit into one page."""

    items: list[StoredFace]


class ImageSize(_Result):
    """Of the upright photograph, in pixels."""

    width: int
    height: int


class Detection(_Result):
    """The faces of a photograph, largest first."""

    faces: list[Face]
    faces_found: int
    image: ImageSize
    took_ms: dict[str, float]


class EmbeddedFace(Face):
    """`embedding` is a unit vector, only comparable with others of the same model."""

    embedding: list[float]


class Embeddings(_Result):
    """The embedded faces of a photograph, largest first."""

    faces: list[EmbeddedFace]
    faces_found: int
    model: Model
    took_ms: dict[str, float]


class ClusteredFace(Face):
    """A face and the photograph that shows it; `image` is its position in the request, from 0."""

    image: int


class ClusteredImage(_Result):
    """What became of one photograph: `read` or `rejected`."""

    image: int
    status: str
    faces: int
    reasons: list[str]
    detail: str | None
    measured: dict[str, Any]


class Group(_Result):
    """Faces of one person."""

    group: int
    faces: list[ClusteredFace]


class Clustering(_Result):
    """Groups of faces that are one person each, the largest first."""

    groups: list[Group]
    images: list[ClusteredImage]
    threshold: float
    far: float | None
    method: str
    model: Model
    took_ms: dict[str, float]


class ClusterJob(_Result):
    """Groups in the making: `queued`, `running`, `done` with a `result`, or `failed` with a `problem` document."""

    job_id: str
    status: str
    images: int
    images_read: int
    created_at: datetime
    expires_at: datetime | None
    result: Clustering | None
    problem: dict[str, Any] | None


class OperatingPoint(_Result):
    """A squared L2 threshold and its measured rates; `val` is the share of same-person pairs accepted."""

    far: float
    threshold: float
    ci95: tuple[float, float]
    val: float | None = None


class Calibration(_Result):
    """The pairs behind the operating points."""

    data: str
    people: int
    impostor_pairs: int
    genuine_pairs: int
    operating_points: list[OperatingPoint]
    curve: list[OperatingPoint]


class ModelCard(_Result):
    """What the served model says of itself."""

    id: str
    sha256: str
    architecture: str
    embedding_size: int
    parameters: int
    input: dict[str, Any]
    default_far: float
    calibration: Calibration
    provenance: dict[str, Any]
    results: dict[str, Any]


class Liveness(_Result):
    """The process answers."""

    status: str


class Check(_Result):
    """One finding of a readiness check."""

    ok: bool
    detail: str | None
    facts: dict[str, Any]


class Readiness(_Result):
    """`status` is `ready`, `degraded` or `not_ready`."""

    status: str
    checks: dict[str, Check]

    def __bool__(self) -> bool:
        return self.status != "not_ready"
