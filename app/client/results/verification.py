"""Answers to "do these faces match?"; distances are squared L2 of unit embeddings, 0 to 4."""

from app.client.results.face import ProbeFace
from app.client.results.result import Model, Result


class Rate(Result):
    """A measured rate with its 95 % interval."""

    estimate: float
    ci95: tuple[float, float]


class _Decision(Result):
    verified: bool
    distance: float
    threshold: float
    far: float | None
    similarity: float
    distance_far: Rate | None
    model: Model
    took_ms: dict[str, float]

    def __bool__(self) -> bool:
        """`if client.verify(a, b):` asks what it seems to ask."""
        return self.verified


class Verification(_Decision):
    """Do two photographs show the same face? `far` is the false-accept rate at the threshold."""

    face1: ProbeFace
    face2: ProbeFace


class NearestFace(Result):
    """The face of a subject that decided."""

    subject_id: str
    name: str | None
    face_id: str


class SubjectVerification(_Decision):
    """Is this the face of that subject?"""

    face: ProbeFace
    subject: NearestFace
    gallery: str
