"""Galleries, subjects and stored faces, and what an erasure took."""

from datetime import datetime
from typing import Any

from app.client.results.result import Result


class Gallery(Result):
    """A gallery as the database knows it."""

    name: str
    created_at: datetime
    subjects: int
    faces: int


class GalleryPage(Result):
    """`next_cursor` is None on the last page."""

    items: list[Gallery]
    next_cursor: str | None


class Subject(Result):
    """A person of a gallery; `faces` are those of the served model. `indexed` is told after a change only."""

    subject_id: str
    gallery: str
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    faces: int
    indexed: bool | None = None


class SubjectPage(Result):
    """`next_cursor` is None on the last page."""

    items: list[Subject]
    next_cursor: str | None


class StoredFace(Result):
    """A face of a subject, without its embedding; `crop_kept`: there is a picture of it."""

    face_id: str
    created_at: datetime
    crop_kept: bool = False


class FacePage(Result):
    """All faces of a subject; they fit into one page."""

    items: list[StoredFace]


class ErasedCounts(Result):
    """How much went."""

    subjects: int | None = None
    faces: int


class Erasure(Result):
    """What went, and the revision from which no replica finds it."""

    erased: ErasedCounts
    revision: int
