"""Groups of faces that are one person each."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.domain.face import MeasuredFace


class ClusterMethod(StrEnum):
    """How faces are put into groups."""

    AGGLOMERATIVE = "agglomerative"  # by the mean distance between groups: chains of look-alikes stay apart
    DBSCAN = "dbscan"  # whoever resembles any face of a group belongs to it


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredFace:
    """A face and the photograph that shows it; `image` is its position in the request, from 0."""

    image: int
    face: MeasuredFace


@dataclass(frozen=True, slots=True)
class ClusteredImage:
    """What became of one photograph; where it could not be read, `reasons` holds the codes of `app.errors`."""

    image: int
    faces: int = 0
    reasons: tuple[str, ...] = ()
    detail: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "rejected" if self.reasons else "read"


@dataclass(frozen=True, slots=True)
class Clustering:
    """Groups of faces that are one person each, the largest first."""

    groups: list[list[ClusteredFace]]
    images: list[ClusteredImage]
    threshold: float
    far: float | None
    method: ClusterMethod
    took_ms: dict[str, float]
