"""The shapes of decisions on two photographs, or on one and an enrolled subject."""

from typing import Any, Self

from pydantic import BaseModel, Field

from app import domain
from app.api.schemas import Model, ProbeFace, rounded
from app.faces.card import ModelCard


class Rate(BaseModel):
    """A measured rate with its 95 % interval."""

    estimate: float
    ci95: tuple[float, float]


class Decision(BaseModel):
    """Whether two faces match, and what that rests on."""

    verified: bool = Field(description="distance < threshold")
    distance: float = Field(description="squared L2 distance of the unit embeddings, 0 to 4, lower is closer")
    threshold: float
    far: float | None = Field(description="false-accept rate at the threshold; null where the calibration has none")
    similarity: float = Field(description="cosine, 1 - distance / 2")
    distance_far: Rate | None = Field(
        description="measured share of impostor pairs at or below this distance; null where the pairs cannot say"
    )


class VerifyResponse(Decision):
    """The decision on two photographs."""

    face1: ProbeFace
    face2: ProbeFace
    model: Model
    took_ms: dict[str, float]

    @classmethod
    def of(cls, answer: domain.Verification, card: ModelCard) -> Self:
        return cls(
            **_decision(answer),
            face1=ProbeFace.of_embedded(answer.face1),
            face2=ProbeFace.of_embedded(answer.face2),
            model=Model.of(card),
            took_ms=rounded(answer.took_ms),
        )


class EnrolledFace(BaseModel):
    """The face of the subject that decided, the nearest one."""

    subject_id: str
    name: str | None
    face_id: str


class SubjectVerifyResponse(Decision):
    """The decision on a photograph and an enrolled subject."""

    face: ProbeFace
    subject: EnrolledFace
    gallery: str
    model: Model
    took_ms: dict[str, float]

    @classmethod
    def of(cls, answer: domain.SubjectVerification, card: ModelCard) -> Self:
        nearest = answer.nearest
        return cls(
            **_decision(answer),
            face=ProbeFace.of_embedded(answer.face),
            subject=EnrolledFace(subject_id=nearest.subject_id, name=nearest.name, face_id=nearest.face_id),
            gallery=answer.gallery,
            model=Model.of(card),
            took_ms=rounded(answer.took_ms),
        )


def _decision(answer: domain.Verification | domain.SubjectVerification) -> dict[str, Any]:
    rate = answer.distance_far
    return {
        "verified": answer.verified,
        "distance": answer.distance,
        "threshold": answer.threshold,
        "far": answer.far,
        "similarity": domain.similarity(answer.distance),
        "distance_far": None if rate is None else Rate(estimate=rate.estimate, ci95=rate.ci95),
    }
