"""What the service asks of an index: search, and to be kept in step with the database.

Two keep to it: `app.gallery.faiss_index`, in the memory of each process, and `app.gallery.milvus`, on servers of its
own. The setting `index` chooses. `app.gallery.follower` feeds either.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from app.domain import Candidate, Embedding, GalleryState
from app.errors import SubjectNotFound
from app.gallery.changes import AuditEnd, Changes, FaceChange

logger = logging.getLogger(__name__)


class ChangeSink(Protocol):
    """What takes in the changes of the database, in their order."""

    @property
    def position(self) -> int:
        """The revision up to which changes were taken in; the next ones come after it."""

    @property
    def audit_end(self) -> AuditEnd | None:
        """Where the audit log of the database ended then, for an index that outlives the process; else None."""

    def apply(self, changes: Changes, *, anew: bool = False) -> None:
        """Take in what changed in the database. What was taken in before is passed over, so repeating is safe.

        `anew`: `changes` are the first of all, and take the place of everything.
        """


class GalleryIndex(Protocol):
    """Nearest-neighbour search over every gallery. Thread-safe.

    Each method that searches raises NotReady where the index cannot be asked now.
    """

    embedding_size: int

    @property
    def revision(self) -> int:
        """The revision of the database that searches see, or a later one."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many galleries, subjects and faces there are in all."""

    @property
    def away(self) -> str | None:
        """Why the index cannot be asked now; None where it can."""

    @property
    def facts(self) -> Mapping[str, float]:
        """Further numbers for metrics and readiness, by name."""

    def state(self, gallery: str) -> GalleryState:
        """What a search of the gallery is made against now. Raises GalleryNotFound."""

    def search(self, gallery: str, probes: Embedding, top_k: int) -> list[list[Candidate]]:
        """Up to `top_k` subjects for each probe, nearest first, each by its nearest face; ranks start at 1.

        `probes` is float32 (n, embedding_size); n may be 0. Raises GalleryNotFound, and ValueError for probes of
        another shape or with a number that is not finite.
        """

    def nearest_of(self, gallery: str, subject_id: str, probe: Embedding) -> Candidate:
        """The face of one subject that is nearest to a probe, float32 (embedding_size,).

        Raises GalleryNotFound, and SubjectNotFound for a subject that has no face here.
        """

    def distances_to(self, gallery: str, face_id: str, probes: Embedding) -> list[Candidate]:
        """One face's distance to each probe, float32 (n, embedding_size). Raises GalleryNotFound or FaceNotFound."""

    def sinks(self) -> Sequence[ChangeSink]:
        """What this process has to feed with changes, that which is searched first.

        There is none where another process feeds the index; then this has looked how far that one has got. Raises
        NotReady where the index cannot be asked now.
        """

    def close(self) -> None:
        """Let go of connections and locks."""


def checked_probes(probes: Embedding, embedding_size: int, top_k: int) -> Embedding:
    """The probes, float32 (n, embedding_size) without gaps; raises ValueError for what cannot be searched for."""
    probes = np.ascontiguousarray(probes, np.float32)
    if probes.ndim != 2 or probes.shape[1] != embedding_size or top_k < 1:
        raise ValueError(f"probes {probes.shape} for embeddings of {embedding_size}, top_k {top_k}")
    if not np.isfinite(probes).all():
        raise ValueError("a probe has a number that is not finite")
    return probes


def latest_by_gallery(changes: Changes, after_revision: int, embedding_size: int) -> Mapping[int, Sequence[FaceChange]]:
    """The last change of each face after a revision, by the id of its gallery; a damaged vector is as if removed."""
    latest = {change.id: change for change in changes.faces if change.revision > after_revision}
    by_gallery: dict[int, list[FaceChange]] = defaultdict(list)
    for change in latest.values():
        sound = change.vector is None or len(change.vector) == 4 * embedding_size
        by_gallery[change.gallery_id].append(change if sound else _left_out(change))
    return by_gallery


def no_subject(subject_id: str) -> SubjectNotFound:
    """There may be such a subject, but none of its faces is in the index."""
    return SubjectNotFound("no such subject has a face in this gallery", field="subject_id", subject_id=subject_id)


def _left_out(change: FaceChange) -> FaceChange:
    # One damaged row must not keep all others from being followed.
    logger.error("face %s has a vector of %d bytes and is left out", change.face_id, len(change.vector or b""))
    return change._replace(vector=None)
