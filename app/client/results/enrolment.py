"""What became of photographs that were enrolled."""

from typing import Any

from pydantic import Field

from app.client.results.face import Box, Quality
from app.client.results.result import Result


class EnrolledImage(Result):
    """What became of one photograph: `status` is `enrolled`, with a `face_id`, or `rejected`, with `reasons`.

    `image` is its position in the request, from 0; `existed`: the subject had this file already; `outlier`: it does
    not look like the subject's other faces.
    """

    image: int
    status: str
    face_id: str | None = None
    existed: bool = False
    own_distance: float | None = None
    outlier: bool = False
    box: Box | None = None
    confidence: float | None = None
    landmarks: list[tuple[float, float]] | None = None
    face_px: float | None = None
    quality: Quality | None = None
    faces_found: int | None = None
    reasons: list[str] = Field(default_factory=list)
    detail: str | None = None
    measured: dict[str, Any] = Field(default_factory=dict)
    required: dict[str, float] = Field(default_factory=dict)


class Duplicate(Result):
    """Another subject that the photographs would be identified as."""

    subject_id: str
    distance: float


class Enrolment(Result):
    """What an enrolment stored; `faces` has one row per photograph, in order."""

    subject_id: str
    created: bool
    indexed: bool
    revision: int
    faces: list[EnrolledImage]
    duplicates: list[Duplicate]
    took_ms: dict[str, float]
