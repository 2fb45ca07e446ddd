"""The shapes that answers share; boxes and landmarks in pixels of the upright photograph, x to the right, y down."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app import domain
from app.faces.card import ModelCard


class Box(BaseModel):
    """Right and bottom are exclusive edges."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, box: domain.Box) -> Self:
        return cls(
            left=round(box.left, 1), top=round(box.top, 1), right=round(box.right, 1), bottom=round(box.bottom, 1)
        )


class Quality(BaseModel):
    """How well a face can be compared. What falls short of the requirements of enrolment is in `required`.

    Sizes are in pixels of the photograph; the measures of the picture are of the levelled crop that is embedded.
    """

    acceptable: bool = Field(description="whether the face may be enrolled with; elsewhere it is only reported")
    reasons: list[str] = Field(
        description="why not: small_face, blurred, too_dark, too_bright, low_contrast, uncertain_face, extreme_pose, "
        "cut_off"
    )
    face_px: float = Field(description="shorter side of the box")
    eye_distance_px: float
    yaw_degrees: float = Field(description="turned to the right of the photograph; less than 0 to the left")
    pitch_degrees: float = Field(description="turned upwards; less than 0 downwards")
    roll_degrees: float = Field(description="tilted clockwise; less than 0 the other way")
    sharpness: float = Field(description="deviation of the Laplacian over that of the luma")
    brightness: float = Field(description="mean of the luma, 0 to 1")
    contrast: float = Field(description="standard deviation of the luma, 0 to 1")
    confidence: float = Field(description="the detector's probability that this is a face")
    outside_share: float = Field(description="share of the crop that the frame of the photograph cuts off")
    required: dict[str, float] = Field(description="of each measure that falls short, what enrolment requires")

    @classmethod
    def of(cls, quality: domain.FaceQuality) -> Self:
        shown = cls.model_fields.keys() - {"reasons"}
        return cls(reasons=list(quality.reasons), **{name: getattr(quality, name) for name in shown})


class Face(BaseModel):
    """One detected face; landmarks are the eyes, the nose and the corners of the mouth, the viewer's left first."""

    box: Box
    confidence: float = Field(description="the detector's probability that this is a face; not a match score")
    landmarks: list[tuple[float, float]]
    face_px: float = Field(description="shorter side of the box")
    quality: Quality

    @classmethod
    def of(cls, face: domain.MeasuredFace) -> Self:
        return cls(**face_fields(face))


class ProbeFace(Face):
    """The face of a photograph that was used."""

    faces_found: int

    @classmethod
    def of_embedded(cls, embedded: domain.EmbeddedFace) -> Self:
        return cls(**face_fields(embedded.face), faces_found=embedded.faces_found)


class Model(BaseModel):
    """Which model made the embeddings; `GET /model` has all of its card."""

    id: str
    sha256: str

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        return cls(id=card.id, sha256=card.sha256)


class Problem(BaseModel):
    """RFC 9457; each code adds its own facts, such as `faces_found`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None
    field: str | None = None


def face_fields(face: domain.MeasuredFace) -> dict[str, Any]:
    """The fields of `Face`, for the answers that add to them."""
    return {
        "box": Box.of(face.box),
        "confidence": round(face.confidence, 4),
        "landmarks": [(round(float(x), 1), round(float(y), 1)) for x, y in face.landmarks],
        "face_px": round(face.face_px, 1),
        "quality": Quality.of(face.quality),
    }


def rounded(took_ms: dict[str, float]) -> dict[str, float]:
    """Milliseconds, to a tenth."""
    return {stage: round(took, 1) for stage, took in took_ms.items()}
