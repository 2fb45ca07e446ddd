"""The shapes of answers to "whose faces are these?"."""

from typing import Self

from pydantic import BaseModel, Field

from app import domain
from app.api.schemas import Face, Model, face_fields, rounded
from app.faces.card import ModelCard


class SearchedGallery(BaseModel):
    """The gallery as the search saw it."""

    name: str
    revision: int
    subjects: int
    faces: int


class Candidate(BaseModel):
    """A subject below the threshold; one row per subject, its nearest face."""

    subject_id: str
    name: str | None
    distance: float
    face_id: str
    rank: int


class IdentifiedFace(Face):
    """A face of the photograph; `unknown` where no subject is below the threshold."""

    status: str = Field(json_schema_extra={"enum": ["identified", "unknown"]})
    candidates: list[Candidate]

    @classmethod
    def of_identified(cls, found: domain.IdentifiedFace) -> Self:
        candidates = [
            Candidate(
                subject_id=candidate.subject_id,
                name=candidate.name,
                distance=candidate.distance,
                face_id=candidate.face_id,
                rank=candidate.rank,
            )
            for candidate in found.candidates
        ]
        return cls(**face_fields(found.face), status=found.status, candidates=candidates)


class IdentifyResponse(BaseModel):
    """Who is in the photograph, largest face first."""

    gallery: SearchedGallery
    threshold: float
    fpir: float | None = Field(
        description="chance that a stranger is given any name at this threshold and size; null where it is not known"
    )
    calibrated: bool = Field(description="whether the calibration supports the rate that the threshold stands for")
    faces: list[IdentifiedFace]
    faces_found: int
    model: Model
    took_ms: dict[str, float]

    @classmethod
    def of(cls, answer: domain.Identification, card: ModelCard) -> Self:
        state = answer.gallery
        return cls(
            gallery=SearchedGallery(
                name=state.name, revision=state.revision, subjects=state.subjects, faces=state.faces
            ),
            threshold=answer.threshold,
            fpir=answer.fpir,
            calibrated=answer.calibrated,
            faces=[IdentifiedFace.of_identified(face) for face in answer.faces],
            faces_found=answer.faces_found,
            model=Model.of(card),
            took_ms=rounded(answer.took_ms),
        )
