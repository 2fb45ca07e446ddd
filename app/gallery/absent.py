"""What to raise for what a gallery does not hold: the same words from the database and from every index."""

from app.errors import FaceNotFound, GalleryNotFound


def no_gallery(name: str) -> GalleryNotFound:
    """There is no gallery of this name."""
    return GalleryNotFound("there is no such gallery", field="gallery", gallery=name)


def no_face(face_id: str) -> FaceNotFound:
    """The gallery has no face of this id."""
    return FaceNotFound("there is no such face in this gallery", field="face_id", face_id=face_id)
