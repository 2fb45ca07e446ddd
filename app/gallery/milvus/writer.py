"""Feeding one collection with the changes of the database.

A batch is written in an order that a crash at any point leaves repairable: first that it begins, then the faces, then
that it is done and what is counted. Repeating it leads to the same, because removing what is not there and writing what
is there already change nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.errors import NotReady
from app.gallery.changes import AuditEnd, Changes, FaceChange
from app.gallery.index import latest_by_gallery
from app.gallery.milvus import progress
from app.gallery.milvus.connection import MilvusConnection
from app.gallery.milvus.faces import among, row_of
from app.gallery.milvus.progress import Contents, Report
from app.gallery.milvus.schema import ensure_loaded

logger = logging.getLogger(__name__)

T = TypeVar("T")

_BATCH_ROWS = 5_000  # in one call: 3 MB of 128-number vectors, of the 64 that Milvus takes
_KEYS_PER_QUERY = 1_000


@dataclass(frozen=True, slots=True)
class _Held:
    """What the collection has of a face."""

    gallery_key: int
    subject_key: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is to be done, and what will be in the galleries then.

    `held` is what there was of the faces before, None where that is not known; then `named` counts nothing.
    """

    live: Sequence[FaceChange]
    removed: Sequence[int]
    dropped: Sequence[int]
    held: Mapping[int, _Held] | None
    named: Mapping[int, Contents]


class CollectionWriter:
    """The ChangeSink of one collection. `may_write` is asked before each call that writes; one thread uses this."""

    def __init__(
        self, connection: MilvusConnection, collection: str, embedding_size: int, may_write: Callable[[], bool]
    ) -> None:
        self.collection = collection
        self._connection = connection
        self._embedding_size = embedding_size
        self._may_write = may_write
        ensure_loaded(connection, collection)
        found = progress.read_progress(connection, collection)
        self.report = Report(found, progress.read_galleries(connection, collection))
        self._repeats = found.unfinished is not None
        # Whether there is something to compact: whoever wrote before may have erased and not come to it.
        self.erased = found.newest_id > 0

    @property
    def position(self) -> int:
        return self.report.progress.revision

    @property
    def audit_end(self) -> AuditEnd | None:
        return self.report.progress.audit_end

    def apply(self, changes: Changes, *, anew: bool = False) -> None:
        """As ChangeSink has it, but for `anew`: a collection is never begun again, another one is.

        Raises NotReady where Milvus does not do it or another process has become the writer; this one is then of no
        more use, since what it knows may not be so.
        """
        if anew:
            raise ValueError("a collection cannot be begun anew")
        before = self.report.progress
        if changes.revision <= before.revision:
            return
        batch = self._batch(changes)
        unfinished = max(before.unfinished or 0, changes.revision)
        progress.write(self._connection, self.collection, replace(before, unfinished=unfinished))
        self._write(batch)
        after = replace(
            before,
            revision=changes.revision,
            audit_end=changes.audit_end,
            newest_id=max(before.newest_id, *(change.id for change in batch.live), 0),
            newest_key=max(before.newest_key, *(change.subject_key or 0 for change in batch.live), 0),
        )
        self._finish(batch, replace(after, unfinished=unfinished if unfinished > changes.revision else None))

    def check_elected(self) -> None:
        """Raise NotReady where another process has become the writer."""
        if not self._may_write():
            raise NotReady("another process has become the writer of the index")

    def abandon(self) -> None:
        """Claim no revision any more."""
        self.check_elected()
        abandoned = replace(self.report.progress, revision=0, abandoned=True)
        progress.write(self._connection, self.collection, abandoned)
        self.report = replace(self.report, progress=abandoned)

    def _batch(self, changes: Changes) -> _Batch:
        named = dict(self.report.galleries)
        for event in changes.galleries:
            if event.name is None:
                named[event.id] = Contents(None)
            elif event.id not in named or named[event.id].name is None:
                named[event.id] = Contents(event.name)
        known = {key for key, _ in progress.live(named)}
        by_gallery = latest_by_gallery(changes, self.position, self._embedding_size)
        # Faces of an unknown gallery: it was dropped while the changes were read, and the next ones say so.
        latest = list(chain.from_iterable(faces for key, faces in by_gallery.items() if key in known))
        live = [change for change in latest if change.vector is not None]
        removed = [change.id for change in latest if change.vector is None]
        # Also of galleries that nothing is known of: a batch that was not finished may have left faces of one.
        dropped = [event.id for event in changes.galleries if event.name is None]
        held = None if self._repeats else self._held([change.id for change in latest])
        if held is not None:
            removed = [face for face in removed if face in held]
            named = self._counts_after(named, live, held)
        return _Batch(live, removed, dropped, held, named)

    def _held(self, ids: Sequence[int]) -> dict[int, _Held]:
        newest = self.report.progress.newest_id
        found: dict[int, _Held] = {}
        for some in _portions([face for face in ids if face <= newest], _BATCH_ROWS):
            fields = ["id", "gallery_key", "subject_key"]
            for row in self._connection.call("query", self.collection, filter=among("id", some), output_fields=fields):
                found[row["id"]] = _Held(row["gallery_key"], row["subject_key"])
        return found

    def _write(self, batch: _Batch) -> None:
        call, collection = self._connection.call, self.collection
        self.check_elected()
        for gallery in batch.dropped:  # page by page: one call for millions of faces would not be over in time
            for page in self._connection.rows(collection, f"gallery_key == {gallery}", ["id"]):
                self.check_elected()
                call("delete", collection, ids=[row["id"] for row in page])
        for ids in _portions(batch.removed, _BATCH_ROWS):
            self.check_elected()
            call("delete", collection, ids=list(ids))
        self.erased = self.erased or bool(batch.dropped or batch.removed)
        known = batch.held
        # A new face need not be looked for by Milvus; where that is not certain, it must be, or it is there twice.
        new = [] if known is None else [change for change in batch.live if change.id not in known]
        old = batch.live if known is None else [change for change in batch.live if change.id in known]
        for method, faces in (("insert", new), ("upsert", old)):
            for some in _portions(faces, _BATCH_ROWS):
                self.check_elected()
                call(method, collection, [row_of(change) for change in some])

    def _finish(self, batch: _Batch, after: progress.Progress) -> None:
        named = batch.named
        if self._repeats and after.unfinished is None:  # before that, nothing can be counted
            logger.info("counting the faces of %s anew, since its writer had not finished", self.collection)
            named = self._counted(named)
        changed = {key: one for key, one in named.items() if one != self.report.galleries.get(key)}
        self.check_elected()
        progress.write(self._connection, self.collection, after, changed)
        self.report = self.report.updated(after, changed)
        self._repeats = after.unfinished is not None

    def _counts_after(
        self, named: Mapping[int, Contents], changes: Sequence[FaceChange], held: Mapping[int, _Held]
    ) -> dict[int, Contents]:
        """What will be in the galleries, from what is there and what comes and goes."""
        live = {(change.gallery_id, change.subject_key or 0) for change in changes}
        gone = {(face.gallery_key, face.subject_key) for face in held.values()}
        others = self._others({key for _, key in live | gone}, set(held))
        faces = Counter(change.gallery_id for change in changes)
        faces.subtract(Counter(face.gallery_key for face in held.values()))
        subjects = Counter(gallery for gallery, key in live if key not in others)
        subjects.subtract(Counter(gallery for gallery, key in gone if key not in others))
        return {
            key: one if one.name is None else Contents(one.name, one.subjects + subjects[key], one.faces + faces[key])
            for key, one in named.items()
        }

    def _others(self, subject_keys: set[int], changed_faces: set[int]) -> set[int]:
        """Which subjects have faces that do not change. None that is newer than all before has."""
        known = sorted(key for key in subject_keys if key <= self.report.progress.newest_key)
        found: set[int] = set()
        for some in _portions(known, _KEYS_PER_QUERY):
            for page in self._connection.rows(self.collection, among("subject_key", some), ["id", "subject_key"]):
                found |= {row["subject_key"] for row in page if row["id"] not in changed_faces}
        return found

    def _counted(self, named: Mapping[int, Contents]) -> dict[int, Contents]:
        """All galleries, by looking at every face."""
        pages = [np.zeros((0, 2), np.int64)]  # of gallery and subject
        for page in self._connection.rows(self.collection, "id >= 0", ["id", "gallery_key", "subject_key"]):
            pages.append(np.array([(row["gallery_key"], row["subject_key"]) for row in page], np.int64))
        keys = np.concatenate(pages)
        faces, subjects = _occurrences(keys[:, 0]), _occurrences(np.unique(keys, axis=0)[:, 0])
        return {
            key: one if one.name is None else Contents(one.name, subjects[key], faces[key])
            for key, one in named.items()
        }


def _occurrences(values: NDArray[np.int64]) -> Counter[int]:
    distinct, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))


def _portions(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
