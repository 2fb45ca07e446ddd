"""The shapes of answers. Boxes and landmarks are in pixels of the upright photograph, x to the right, y down."""

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
        return cls(**_face(face))


class ProbeFace(Face):
    """The face of a photograph that was used."""

    faces_found: int

    @classmethod
    def of_embedded(cls, embedded: domain.EmbeddedFace) -> Self:
        return cls(**_face(embedded.face), faces_found=embedded.faces_found)


class Model(BaseModel):
    """Which model made the embeddings; `GET /model` has all of its card."""

    id: str
    sha256: str

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        return cls(id=card.id, sha256=card.sha256)


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


class Gallery(BaseModel):
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
        return cls(**_face(found.face), status=found.status, candidates=candidates)


class IdentifyResponse(BaseModel):
    """Who is in the photograph, largest face first."""

    gallery: Gallery
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
            gallery=Gallery(name=state.name, revision=state.revision, subjects=state.subjects, faces=state.faces),
            threshold=answer.threshold,
            fpir=answer.fpir,
            calibrated=answer.calibrated,
            faces=[IdentifiedFace.of_identified(face) for face in answer.faces],
            faces_found=answer.faces_found,
            model=Model.of(card),
            took_ms=rounded(answer.took_ms),
        )


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
    """A photograph that was turned down; `reasons` are error codes, `measured` the facts behind them."""

    image: int
    status: str = Field("rejected", json_schema_extra={"const": "rejected"})
    reasons: list[str]
    detail: str
    measured: dict[str, Any]


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


def _image_row(row: domain.EnrolledImage) -> EnrolledImage | RejectedImage:
    if row.face is None or row.face_id is None:
        return RejectedImage(
            image=row.image, reasons=list(row.reasons), detail=row.detail or "", measured=dict(row.measured)
        )
    return EnrolledImage(
        **_face(row.face.face),
        faces_found=row.face.faces_found,
        face_id=row.face_id,
        image=row.image,
        existed=row.existed,
        own_distance=row.own_distance,
        outlier=row.outlier,
    )


def _face(face: domain.DetectedFace) -> dict[str, Any]:
    return {
        "box": Box.of(face.box),
        "confidence": round(face.confidence, 4),
        "landmarks": [(round(float(x), 1), round(float(y), 1)) for x, y in face.landmarks],
        "face_px": round(face.face_px, 1),
    }


def rounded(took_ms: dict[str, float]) -> dict[str, float]:
    """Milliseconds, to a tenth."""
    return {stage: round(took, 1) for stage, took in took_ms.items()}
