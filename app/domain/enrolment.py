"""Faces on their way into a gallery, and the answer to who brought them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.domain.embedding import Embedding
from app.domain.face import EmbeddedFace, FaceCrop


class DuplicatePolicy(StrEnum):
    """What enrolment does when the face already belongs to another subject."""

    REPORT = "report"
    REJECT = "reject"
    ALLOW = "allow"


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
