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


class Face(BaseModel):
    """One detected face; landmarks are the eyes, the nose and the corners of the mouth, the viewer's left first."""

    box: Box
    confidence: float = Field(description="the detector's probability that this is a face; not a match score")
    landmarks: list[tuple[float, float]]
    face_px: float = Field(description="shorter side of the box")

    @classmethod
    def of(cls, face: domain.DetectedFace) -> Self:
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


def face_fields(face: domain.DetectedFace) -> dict[str, Any]:
    """The fields of `Face`, for the answers that add to them."""
    return {
        "box": Box.of(face.box),
        "confidence": round(face.confidence, 4),
        "landmarks": [(round(float(x), 1), round(float(y), 1)) for x, y in face.landmarks],
        "face_px": round(face.face_px, 1),
    }


def rounded(took_ms: dict[str, float]) -> dict[str, float]:
    """Milliseconds, to a tenth."""
    return {stage: round(took, 1) for stage, took in took_ms.items()}
