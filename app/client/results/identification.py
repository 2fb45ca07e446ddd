"""Answers to "whose faces are these?"."""

from app.client.results.face import Face
from app.client.results.result import Model, Result


class SearchedGallery(Result):
    """The gallery as a search saw it."""

    name: str
    revision: int
    subjects: int
    faces: int


class Candidate(Result):
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


class Identification(Result):
    """Whose faces are these? `fpir` is the chance that a stranger is given any name."""

    gallery: SearchedGallery
    threshold: float
    fpir: float | None
    calibrated: bool
    faces: list[IdentifiedFace]
    faces_found: int
    model: Model
    took_ms: dict[str, float]
