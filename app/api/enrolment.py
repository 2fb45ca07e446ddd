"""The shapes of what an enrolment did, photograph by photograph."""

from typing import Any, Self

from pydantic import BaseModel, Field

from app import domain
from app.api.schemas import ProbeFace, face_fields, rounded


class EnrolledImage(ProbeFace):
    """A photograph whose face is stored; `existed` where this subject had the very same file already."""

    face_id: str
    image: int = Field(description="position in the request, from 0")
    status: str = Field("enrolled", json_schema_extra={"const": "enrolled"})
    existed: bool
    own_distance: float | None = Field(
        description="distance to the nearest face that the subject had, or among the photographs of this request where "
        "it had none; null where there is nothing to compare with"
    )
    outlier: bool = Field(
        description="own_distance is not below the verification threshold: the photograph may be of someone else"
    )


class RejectedImage(BaseModel):
    """A photograph that was turned down, and why.

    `reasons` are an error code with the facts behind it in `measured`, or those of a quality that is too low with each
    measure that falls short in `measured` and `required`.
    """

    image: int
    status: str = Field("rejected", json_schema_extra={"const": "rejected"})
    reasons: list[str]
    detail: str
    measured: dict[str, Any]
    required: dict[str, float]


class Duplicate(BaseModel):
    """Another subject that these photographs would be identified as."""

    subject_id: str
    distance: float


class EnrollResponse(BaseModel):
    """What was stored."""

    subject_id: str
    created: bool = Field(description="whether the subject is new")
    indexed: bool = Field(description="whether an identification here finds it already; if not, it will shortly")
    revision: int
    faces: list[EnrolledImage | RejectedImage] = Field(description="one row per image of the request, in order")
    duplicates: list[Duplicate]
    took_ms: dict[str, float]

    @classmethod
    def of(cls, answer: domain.Enrolment) -> Self:
        return cls(
            subject_id=answer.subject.subject_id,
            created=answer.subject.created,
            indexed=answer.indexed,
            revision=answer.subject.revision,
            faces=[_image_row(row) for row in answer.images],
            duplicates=[Duplicate(subject_id=d.subject_id, distance=d.distance) for d in answer.duplicates],
            took_ms=rounded(answer.took_ms),
        )


def _image_row(row: domain.EnrolledImage) -> EnrolledImage | RejectedImage:
    if row.face is None or row.face_id is None:
        return RejectedImage(
            image=row.image,
            reasons=list(row.reasons),
            detail=row.detail or "",
            measured=dict(row.measured),
            required=dict(row.required),
        )
    return EnrolledImage(
        **face_fields(row.face.face),
        faces_found=row.face.faces_found,
        face_id=row.face_id,
        image=row.image,
        existed=row.existed,
        own_distance=row.own_distance,
        outlier=row.outlier,
    )
