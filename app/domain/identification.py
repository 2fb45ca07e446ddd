"""A search of a gallery and its answer."""

from dataclasses import dataclass

from app.domain.embedding import Embedding
from app.domain.face import MeasuredFace


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
