"""What an enrolment makes of its photographs: which are stored, which are turned down, and whose face they resemble."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain import (
    Candidate,
    Duplicate,
    EmbeddedFace,
    EnrolledImage,
    EnrolledSubject,
    FaceQuality,
    NewFace,
    StoredFace,
    is_match,
    squared_l2,
)
from app.errors import BadInput, LowQuality, none_usable


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photograph that cannot be enrolled, and why."""

    error: BadInput
    quality: FaceQuality | None = None  # where that is too low

    @property
    def reasons(self) -> tuple[str, ...]:
        return (self.error.code,) if self.quality is None else self.quality.reasons

    @property
    def facts(self) -> dict[str, Any]:
        """What the problem document of several photographs says of this one."""
        return {"reasons": list(self.reasons), "detail": self.error.message, **self.error.facts}


Outcome = EmbeddedFace | Rejected


def gated(face: EmbeddedFace) -> Outcome:
    """The face, unless its quality is too low to be enrolled with."""
    quality = face.face.quality
    if quality.acceptable:
        return face
    shortfalls = "; ".join(str(shortfall) for shortfall in quality.shortfalls)
    error = LowQuality(
        f"the quality of the face is too low: {shortfalls}",
        field="image",
        reasons=list(quality.reasons),
        measured=quality.measured,
        required=quality.required,
    )
    return Rejected(error, quality)


def accepted(outcomes: Sequence[Outcome]) -> list[EmbeddedFace]:
    """The faces that can be stored; raises the photographs' own error where there is none.

    Photographs that fail for different reasons raise LowQuality; each reason is among the facts.
    """
    faces = [outcome for outcome in outcomes if isinstance(outcome, EmbeddedFace)]
    if faces:
        return faces
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
    errors = [outcome.error for outcome in rejected]
    if len(errors) == 1:
        raise errors[0]
    images = [{"image": image, **outcome.facts} for image, outcome in enumerate(rejected)]
    raise none_usable(f"none of the {len(errors)} images can be enrolled", errors, images)


def new_faces(images: Sequence[bytes], outcomes: Sequence[Outcome]) -> list[NewFace]:
    """What the store is to keep, in the order of the photographs."""
    return [
        NewFace(outcome.embedding, hashlib.sha256(image).hexdigest(), outcome.crop)
        for image, outcome in zip(images, outcomes, strict=True)
        if isinstance(outcome, EmbeddedFace)
    ]


def own_distances(faces: Sequence[EmbeddedFace], nearest_known: Sequence[float]) -> list[float | None]:
    """How far each face is from the subject's own: squared L2 to the nearest one known, as `nearest_known` has it.

    For a subject without known faces `nearest_known` is empty, and the other faces of the request stand in; a single
    one has nothing to be compared with.
    """
    if nearest_known:
        return list(nearest_known)
    return [
        min((squared_l2(face.embedding, other.embedding) for other in faces if other is not face), default=None)
        for face in faces
    ]


def enrolled_images(
    outcomes: Sequence[Outcome], subject: EnrolledSubject, own: Sequence[float | None], threshold: float
) -> list[EnrolledImage]:
    """One row per photograph of the request; `subject.faces` and `own` distances are of the accepted ones, in order.

    A face that does not match any of the subject's own at `threshold` is an outlier.
    """
    stored = iter(zip(subject.faces, own, strict=True))
    return [_row(image, outcome, stored, threshold) for image, outcome in enumerate(outcomes)]


def duplicates(rows: Iterable[Sequence[Candidate]], subject_id: str, threshold: float) -> list[Duplicate]:
    """Other subjects below the threshold of any face, each at its nearest distance, nearest first."""
    nearest: dict[str, float] = {}
    for candidate in (candidate for row in rows for candidate in row):
        if candidate.subject_id != subject_id and is_match(candidate.distance, threshold):
            best = nearest.get(candidate.subject_id, candidate.distance)
            nearest[candidate.subject_id] = min(best, candidate.distance)
    return [Duplicate(*item) for item in sorted(nearest.items(), key=lambda item: item[1])]


def _row(
    image: int, outcome: Outcome, stored: Iterator[tuple[StoredFace, float | None]], threshold: float
) -> EnrolledImage:
    if isinstance(outcome, Rejected):
        error, quality = outcome.error, outcome.quality
        measured = error.facts if quality is None else quality.measured
        required = {} if quality is None else quality.required
        return EnrolledImage(image, reasons=outcome.reasons, detail=error.message, measured=measured, required=required)
    face, own = next(stored)
    outlier = own is not None and not is_match(own, threshold)
    return EnrolledImage(image, face.face_id, face.existed, own, outlier, face=outcome)
