"""The galleries in memory, in step with a revision of the database."""

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from app.domain import Candidate, Embedding, GalleryState
from app.errors import FaceNotFound, GalleryNotFound, SubjectNotFound
from app.gallery.changes import Changes, FaceChange
from app.gallery.checks import canonical_face_id
from app.gallery.indexed import IndexedGallery

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All galleries at one revision."""

    revision: int = 0
    by_id: Mapping[int, IndexedGallery] = field(default_factory=dict)
    by_name: Mapping[str, IndexedGallery] = field(default_factory=dict)


class GalleryIndex:
    """Nearest-neighbour search over every gallery. Thread-safe.

    It is exact; in galleries of more than `compress_above_faces` as app.gallery.compressed has it.

    A search reads one immutable state and takes no lock; `apply` builds the next state beside it and puts it in place
    with one assignment. So no search waits for a write, no write for a search, and none sees half of a change.
    """

    def __init__(self, embedding_size: int, *, compress_above_faces: int | None = None) -> None:
        self.embedding_size = embedding_size
        self._compress_above_faces = compress_above_faces
        self._state = _State()
        self._applying = threading.Lock()

    @property
    def revision(self) -> int:
        """The revision of the database that searches see."""
        return self._state.revision

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many galleries, subjects and faces there are in all."""
        galleries = self._state.by_id.values()
        return len(galleries), sum(gallery.subjects for gallery in galleries), sum(g.faces for g in galleries)

    def state(self, gallery: str) -> GalleryState:
        """What a search of the gallery is made against now. Raises GalleryNotFound."""
        state = self._state
        found = _gallery(state, gallery)
        return GalleryState(gallery, state.revision, found.subjects, found.faces)

    def search(self, gallery: str, probes: Embedding, top_k: int) -> list[list[Candidate]]:
        """Up to `top_k` subjects for each probe, nearest first, each by its nearest face; ranks start at 1.

        `probes` is float32 (n, embedding_size); n may be 0. Raises GalleryNotFound, and ValueError for probes of
        another shape or with a number that is not finite.
        """
        probes = np.ascontiguousarray(probes, np.float32)
        if probes.ndim != 2 or probes.shape[1] != self.embedding_size or top_k < 1:
            raise ValueError(f"probes {probes.shape} for embeddings of {self.embedding_size}, top_k {top_k}")
        if not np.isfinite(probes).all():
            raise ValueError("a probe has a number that is not finite")
        return _gallery(self._state, gallery).search(probes, top_k)

    def nearest_of(self, gallery: str, subject_id: str, probe: Embedding) -> Candidate:
        """The face of one subject that is nearest to a probe, float32 (embedding_size,).

        Raises GalleryNotFound, and SubjectNotFound for a subject that has no face here.
        """
        found = _gallery(self._state, gallery).nearest_of(subject_id, probe)
        if found is None:
            raise SubjectNotFound(
                "no such subject has a face in this gallery", field="subject_id", subject_id=subject_id
            )
        return found

    def distances_to(self, gallery: str, face_id: str, probes: Embedding) -> list[Candidate]:
        """One face's distance to each probe, float32 (n, embedding_size). Raises GalleryNotFound or FaceNotFound."""
        found = _gallery(self._state, gallery).distances_to(UUID(canonical_face_id(face_id)), probes)
        if found is None:
            raise FaceNotFound("there is no such face in this gallery", field="face_id", face_id=face_id)
        return found

    def apply(self, changes: Changes, *, anew: bool = False) -> None:
        """Take in what changed in the database. What was taken in before is passed over, so repeating is safe.

        `anew`: `changes` are the first of all, and take the place of everything.
        """
        with self._applying:
            state = _State() if anew else self._state
            if changes.revision <= state.revision:
                return
            by_id = dict(state.by_id)
            for event in changes.galleries:
                if event.name is None:
                    by_id.pop(event.id, None)
                else:
                    by_id.setdefault(event.id, IndexedGallery(event.name))
            for gallery_id, faces in self._new_faces(changes, state.revision).items():
                # Faces of an unknown gallery: it was dropped while the changes were read, and the next ones say so.
                if gallery_id in by_id:
                    by_id[gallery_id] = by_id[gallery_id].with_changes(faces).fitted(self._compress_above_faces)
            self._state = _State(changes.revision, by_id, {gallery.name: gallery for gallery in by_id.values()})

    def _new_faces(self, changes: Changes, after_revision: int) -> Mapping[int, Sequence[FaceChange]]:
        latest = {change.id: change for change in changes.faces if change.revision > after_revision}
        by_gallery: dict[int, list[FaceChange]] = defaultdict(list)
        vector_bytes = 4 * self.embedding_size
        for change in latest.values():
            sound = change.vector is None or len(change.vector) == vector_bytes
            by_gallery[change.gallery_id].append(change if sound else _left_out(change))
        return by_gallery


def _left_out(change: FaceChange) -> FaceChange:
    # One damaged row must not keep all others from being followed.
    logger.error("face %s has a vector of %d bytes and is left out", change.face_id, len(change.vector or b""))
    return change._replace(vector=None)


def _gallery(state: _State, name: str) -> IndexedGallery:
    found = state.by_name.get(name)
    if found is None:
        raise GalleryNotFound("there is no such gallery", field="gallery", gallery=name)
    return found
