"""What the database tells an index: the rows that changed after a revision, tombstones included."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from app.gallery.engine import read_tuples
from app.gallery.sealing import SealBroken, TemplateKeys
from app.gallery.tables import audit_entries, audit_state, faces, galleries, gallery_state, subjects

logger = logging.getLogger(__name__)


class FaceChange(NamedTuple):
    """The latest state of one row of `faces`; `vector` is None once the face is removed."""

    id: int
    revision: int
    gallery_id: int
    subject_key: int | None
    subject_id: str | None
    name: str | None
    face_id: str
    vector: bytes | None  # little-endian float32
    key_id: str | None = None  # of the key that `vector` is still encrypted with; None once it is read


class GalleryChange(NamedTuple):
    """A gallery that was created, or dropped with all its faces when `name` is None."""

    id: int
    revision: int
    name: str | None


class AuditEnd(NamedTuple):
    """Where the chain of the audit log ended: a database that was put back to an earlier state has another one."""

    position: int
    hash: str


@dataclass(frozen=True, slots=True)
class Changes:
    """All that changed up to and with `revision`, which is never cut in two. The database is at `newest_revision`.

    `audit_end` was read after that: a database that does not contain it is not the one these were read from.
    """

    revision: int
    newest_revision: int
    galleries: Sequence[GalleryChange] = field(default=())
    faces: Sequence[FaceChange] = field(default=())
    audit_end: AuditEnd | None = None

    @property
    def is_newest(self) -> bool:
        """Whether nothing was committed beyond these when they were read."""
        return self.revision == self.newest_revision


_FACES = sa.select(
    faces.c.id,
    faces.c.revision,
    faces.c.gallery_id,
    faces.c.subject_key,
    subjects.c.subject_id,
    subjects.c.name,
    sa.cast(faces.c.face_id, sa.String),  # many times faster than UUID objects
    faces.c.vector,
    faces.c.key_id,
).join_from(faces, subjects, faces.c.subject_key == subjects.c.id, isouter=True)
_GALLERIES = sa.select(galleries.c.id, galleries.c.revision, galleries.c.name)


def read_revision(connection: sa.Connection) -> int:
    """The last committed revision."""
    return int(connection.execute(sa.select(gallery_state.c.revision)).scalar_one())


def read_changes(
    connection: sa.Connection, model_id: str, after_revision: int, limit: int, keys: TemplateKeys
) -> Changes:
    """The next `limit` or so faces of a model after a revision, in order, and the galleries that go with them.

    Each statement may see a later database than the one before. Rows that moved beyond `revision` meanwhile are left
    for the next call, which is why a face may name a gallery that is not in `galleries` yet or any more.
    """
    revision = newest = read_revision(connection)
    if newest <= after_revision:
        return Changes(newest, newest)
    rows = _read_faces(connection, keys, model_id, faces.c.revision.between(after_revision + 1, revision), limit)
    if len(rows) == limit:  # perhaps in the middle of a revision
        revision = rows[-1].revision
        rest = sa.and_(faces.c.revision == revision, faces.c.id > rows[-1].id)
        rows += _read_faces(connection, keys, model_id, rest)
    events = connection.execute(_GALLERIES.where(galleries.c.revision.between(after_revision + 1, revision)))
    gallery_changes = [GalleryChange._make(row) for row in events]
    end = connection.execute(sa.select(audit_state.c.position, audit_state.c.hash)).one()
    return Changes(revision, newest, gallery_changes, rows, AuditEnd(*end))


def contains(connection: sa.Connection, end: AuditEnd) -> bool:
    """Whether the audit log once ended so; also true where it has been pruned beyond that, which hides it."""
    hash_there = connection.execute(
        sa.select(audit_entries.c.hash).where(audit_entries.c.position == end.position)
    ).scalar_one_or_none()
    if hash_there is not None:
        return bool(hash_there == end.hash)
    state = connection.execute(sa.select(audit_state)).one()
    if end.position == state.pruned_position:
        return bool(end.hash == state.pruned_hash)
    return bool(end.position < state.pruned_position)


def _read_faces(
    connection: sa.Connection,
    keys: TemplateKeys,
    model_id: str,
    condition: sa.ColumnElement[bool],
    limit: int | None = None,
) -> list[FaceChange]:
    query = _FACES.where(faces.c.model_id == model_id, condition).order_by(faces.c.revision, faces.c.id).limit(limit)
    changes = list(map(FaceChange._make, read_tuples(connection, query)))
    if any(change.key_id for change in changes):
        return [_opened(change, keys, model_id) for change in changes]
    return changes


def _opened(change: FaceChange, keys: TemplateKeys, model_id: str) -> FaceChange:
    if change.key_id is None or change.vector is None:
        return change
    vector = None
    try:
        vector = keys.key(change.key_id).open_vector(change.vector, change.face_id, model_id)
    except SealBroken as error:  # one damaged row must not keep all others from being followed
        logger.error("%s; it is left out", error)
    return FaceChange(*change[:7], vector)
