"""Groups of faces that are one person each."""

from datetime import datetime
from typing import Any

from app.client.results.face import Face
from app.client.results.result import Model, Result


class ClusteredFace(Face):
    """A face and the photograph that shows it; `image` is its position in the request, from 0."""

    image: int


class ClusteredImage(Result):
    """What became of one photograph: `read` or `rejected`."""

    image: int
    status: str
    faces: int
    reasons: list[str]
    detail: str | None
    measured: dict[str, Any]


class Group(Result):
    """Faces of one person."""

    group: int
    faces: list[ClusteredFace]


class Clustering(Result):
    """Groups of faces that are one person each, the largest first."""

    groups: list[Group]
    images: list[ClusteredImage]
    threshold: float
    far: float | None
    method: str
    model: Model
    took_ms: dict[str, float]


class ClusterJob(Result):
    """Groups in the making: `queued`, `running`, `done` with a `result`, or `failed` with a `problem` document."""

    job_id: str
    status: str
    images: int
    images_read: int
    created_at: datetime
    expires_at: datetime | None
    result: Clustering | None
    problem: dict[str, Any] | None
