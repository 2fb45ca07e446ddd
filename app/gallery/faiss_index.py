"""The galleries in this process's memory, in step with a revision of the database, searched by FAISS."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.domain import Candidate, Embedding, GalleryState
from app.gallery.absent import no_face, no_gallery
from app.gallery.changes import Changes
from app.gallery.checks import canonical_face_id
from app.gallery.index import ChangeSink, checked_probes, latest_by_gallery, no_subject
from app.gallery.indexed import IndexedGallery


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All galleries at one revision."""

    revision: int = 0
    by_id: Mapping[int, IndexedGallery] = field(default_factory=dict)
    by_name: Mapping[str, IndexedGallery] = field(default_factory=dict)


class FaissIndex:
    """Nearest-neighbour search over every gallery, a GalleryIndex. Thread-safe.

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
    def position(self) -> int:
        """The revision up to which changes were taken in; searches see them at once."""
        return self._state.revision

    @property
    def audit_end(self) -> None:
        """Not kept: what is here came from the database that this process has open."""
        return None

    @property
    def away(self) -> None:
        """Never: it is in this process."""
        return None

    @property
    def facts(self) -> Mapping[str, float]:
        """Nothing besides what is said of every index."""
        return {}

    def sinks(self) -> Sequence[ChangeSink]:
        """Itself: every process keeps its own."""
        return [self]

    def close(self) -> None:
        """There is nothing to close."""

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
        probes = checked_probes(probes, self.embedding_size, top_k)
        return _gallery(self._state, gallery).search(probes, top_k)

    def nearest_of(self, gallery: str, subject_id: str, probe: Embedding) -> Candidate:
        """The face of one subject that is nearest to a probe, float32 (embedding_size,).

        Raises GalleryNotFound, and SubjectNotFound for a subject that has no face here.
        """
        found = _gallery(self._state, gallery).nearest_of(subject_id, probe)
        if found is None:
            raise no_subject(subject_id)
        return found

    def distances_to(self, gallery: str, face_id: str, probes: Embedding) -> list[Candidate]:
        """One face's distance to each probe, float32 (n, embedding_size). Raises GalleryNotFound or FaceNotFound."""
        found = _gallery(self._state, gallery).distances_to(UUID(canonical_face_id(face_id)), probes)
        if found is None:
            raise no_face(face_id)
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
            for gallery_id, faces in latest_by_gallery(changes, state.revision, self.embedding_size).items():
                # Faces of an unknown gallery: it was dropped while the changes were read, and the next ones say so.
                if gallery_id in by_id:
                    by_id[gallery_id] = by_id[gallery_id].with_changes(faces).fitted(self._compress_above_faces)
            self._state = _State(changes.revision, by_id, {gallery.name: gallery for gallery in by_id.values()})


def _gallery(state: _State, name: str) -> IndexedGallery:
    found = state.by_name.get(name)
    if found is None:
        raise no_gallery(name)
    return found
