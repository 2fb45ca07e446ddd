"""Galleries, subjects and their faces as the database knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

DEFAULT_GALLERY = "default"


@dataclass(frozen=True, slots=True)
class Gallery:
    """A gallery as the database knows it."""

    name: str
    created_at: datetime
    subjects: int
    faces: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A person of a gallery as the database knows them."""

    subject_id: str
    gallery: str
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    faces: int
    expires_at: datetime | None = None


class SubjectChanges(TypedDict, total=False):
    """What can be changed of a subject; what is left out stays."""

    name: str | None
    metadata: Mapping[str, Any]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class GalleryFace:
    """A face of a subject, without its embedding; `crop_kept` says whether its crop is stored."""

    face_id: str
    created_at: datetime
    crop_kept: bool


@dataclass(frozen=True, slots=True)
class CollectionFace:
    """A face of a gallery and whose it is."""

    face_id: str
    subject_id: str


@dataclass(frozen=True, slots=True)
class ErasedSubject:
    """How many faces went with a subject, and the revision from which no replica finds them."""

    faces: int
    revision: int


@dataclass(frozen=True, slots=True)
class ErasedGallery:
    """What went with a gallery, and the revision from which no replica knows it."""

    subjects: int
    faces: int
    revision: int
