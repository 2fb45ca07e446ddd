"""Which of several faces stands for the photograph."""

from collections.abc import Sequence

from app.domain import DetectedFace, FaceChoice
from app.errors import NoFace, SeveralFaces
from app.faces.decode import Photograph


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
