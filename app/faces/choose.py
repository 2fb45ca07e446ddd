"""Which of several faces stands for the photograph."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain import DetectedFace, FaceChoice
from app.errors import NoFace, SeveralFaces
from app.faces.decode import Photograph


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the faces found are wanted: the one of `choice`, or where that is None up to `max_faces` (0: all).

    Faces of which the detector is less sure than `min_confidence`, 0 to 1, are passed over. `field` is the field of the
    request that errors speak of.
    """

    choice: FaceChoice | None = None
    max_faces: int = 0
    min_confidence: float = 0.0
    field: str | None = None

    def of(self, faces: Sequence[DetectedFace], photograph: Photograph) -> list[DetectedFace]:
        """Those of `certain_faces` that are wanted; raises NoFace or SeveralFaces where one was."""
        if self.choice is None:
            return largest_faces(faces, self.max_faces)
        return [choose_face(faces, self.choice, photograph, field=self.field)]


def choose_face(
    faces: Sequence[DetectedFace], choice: FaceChoice, photograph: Photograph, *, field: str | None = None
) -> DetectedFace:
    """One face of those detected; raises NoFace, or SeveralFaces where only one was allowed."""
    if not faces:
        raise NoFace("no face was found in the image", field=field, faces_found=0)
    if choice is FaceChoice.ONLY and len(faces) > 1:
        raise SeveralFaces(
            f"{len(faces)} faces were found where one was required; crop the image or ask for the largest",
            field=field,
            faces_found=len(faces),
        )
    if choice is FaceChoice.CENTRAL:
        return min(faces, key=lambda face: _squared_distance_from_middle(face, photograph))
    return max(faces, key=lambda face: face.box.area)


def _squared_distance_from_middle(face: DetectedFace, photograph: Photograph) -> float:
    x, y = face.box.centre
    return (x - photograph.width / 2) ** 2 + (y - photograph.height / 2) ** 2


def certain_faces(faces: Sequence[DetectedFace], min_confidence: float) -> list[DetectedFace]:
    """Those of which the detector is this sure, 0 to 1."""
    return [face for face in faces if face.confidence >= min_confidence]


def largest_faces(faces: Sequence[DetectedFace], max_faces: int) -> list[DetectedFace]:
    """Up to `max_faces` of them (0: all), the largest first."""
    largest_first = sorted(faces, key=lambda face: -face.box.area)
    return largest_first[:max_faces] if max_faces else largest_first
