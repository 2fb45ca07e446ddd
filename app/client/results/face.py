"""A face of a photograph; in pixels of the upright photograph, x to the right, y down."""

from app.client.results.result import Model, Result


class Box(Result):
    """Right and bottom are exclusive edges."""

    left: float
    top: float
    right: float
    bottom: float


class Quality(Result):
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


class Face(Result):
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


class ImageSize(Result):
    """Of the upright photograph, in pixels."""

    width: int
    height: int


class Detection(Result):
    """The faces of a photograph, largest first."""

    faces: list[Face]
    faces_found: int
    image: ImageSize
    took_ms: dict[str, float]


class EmbeddedFace(Face):
    """`embedding` is a unit vector, only comparable with others of the same model."""

    embedding: list[float]


class Embeddings(Result):
    """The embedded faces of a photograph, largest first."""

    faces: list[EmbeddedFace]
    faces_found: int
    model: Model
    took_ms: dict[str, float]
