"""The gallery in the database: every write one transaction, every answer already durable."""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from app.domain import (
    Embedding,
    EnrolledSubject,
    ErasedGallery,
    ErasedSubject,
    Gallery,
    GalleryFace,
    NewFace,
    StoredFace,
    Subject,
    SubjectChanges,
)
from app.errors import BadRequest, NotReady
from app.gallery import audit, checks, statements
from app.gallery.changes import Changes, read_changes, read_revision
from app.gallery.engine import NO_TRANSACTION, WRITING, WriteTurn, database_errors
from app.gallery.sealing import Template, TemplateKeys
from app.gallery.tables import galleries, subjects

logger = logging.getLogger(__name__)

_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": checks.check_name,
    "metadata": checks.check_metadata,
    "expires_at": checks.check_expires_at,
}


@dataclass(frozen=True, slots=True)
class _Write:
    """A transaction that holds the next revision. It commits when its block ends, unless it was undone."""

    connection: sa.Connection
    transaction: sa.Transaction
    revision: int

    def undo(self) -> int:
        """Leave all as it was, the revision too, and return that."""
        self.transaction.rollback()
        return self.revision - 1

    def audit(self, action: str, **facts: Any) -> None:
        """Say in the audit log what this transaction does."""
        audit.append(self.connection, [audit.entry(action, revision=self.revision, **facts)])


class GalleryStore:
    """Galleries, subjects and the faces of one model, in SQL. Synchronous and thread-safe.

    Every method raises NotReady when the database cannot answer, and GalleryNotFound for a gallery that does not
    exist. What a method wrote is on disk when it returns; a method that raises has changed nothing. Every write is in
    the audit log. With `keys`, vectors are encrypted on their way into the database.
    """

    def __init__(self, engine: sa.Engine, model_id: str, keys: TemplateKeys | None = None) -> None:
        self._reader = engine
        self._writer = engine.execution_options(**WRITING)
        self._turn = WriteTurn(engine)
        self._model_id = model_id
        self._keys = keys or TemplateKeys()
        self._unpurged = False

    def add(
        self,
        gallery: str,
        subject_id: str,
        faces: Sequence[NewFace],
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expires_at: datetime | None = None,
        max_faces: int = 100,
    ) -> EnrolledSubject:
        """Store faces of a new or a known subject; None leaves what is known of it as it is.

        A photograph that the subject has already is not stored again, and where nothing else changes either, there is
        no new revision. Raises BadRequest for what cannot be stored, and for more than `max_faces` faces in all.
        """
        checks.check_subject_id(subject_id)
        given = {"name": name, "metadata": metadata, "expires_at": expires_at}
        values = _checked({key: value for key, value in given.items() if value is not None})
        vectors = [_to_bytes(face.embedding) for face in faces]
        with self._write() as write:
            gallery_id = statements.gallery_id(write.connection, gallery)
            row = statements.find_subject(write.connection, gallery_id, subject_id)
            if row is None:
                key = statements.insert_subject(write.connection, gallery_id, subject_id, values)
            else:
                key = row.id
                values = _differing(row, values)
            stored, new = self._sort(write.connection, key, faces, vectors, max_faces)
            place = {"gallery_id": gallery_id, "subject_key": key, "model_id": self._model_id}
            statements.insert_faces(write.connection, [place | face | {"revision": write.revision} for face in new])
            if row is not None and (new or values):
                statements.update_subject(write.connection, row, values, write.revision)
            if changed := row is None or new or values:
                write.audit("enroll", gallery=gallery, subject_id=subject_id, created=row is None, faces=len(new))
            revision = write.revision if changed else write.undo()
        return EnrolledSubject(subject_id, created=row is None, revision=revision, faces=stored)

    def update_subject(self, gallery: str, subject_id: str, changes: SubjectChanges) -> int:
        """Change what is known of a subject and return the revision from which indexes know.

        Raises SubjectNotFound, and BadRequest for what cannot be stored.
        """
        values = _checked(changes)
        with self._write() as write:
            row = self._subject_row(write.connection, gallery, subject_id)
            values = _differing(row, values)
            if not values:
                return write.undo()
            statements.update_subject(write.connection, row, values, write.revision)
            write.audit("update", gallery=gallery, subject_id=subject_id, fields=sorted(values))
            return write.revision

    def remove_subject(self, gallery: str, subject_id: str) -> ErasedSubject:
        """Erase a subject and all its faces. Raises SubjectNotFound."""
        with self._write() as write:
            row = self._subject_row(write.connection, gallery, subject_id)
            erased = ErasedSubject(statements.delete_subject(write.connection, row.id, write.revision), write.revision)
            write.audit("erase", gallery=gallery, subject_id=subject_id, faces=erased.faces)
        self.purge()
        return erased

    def remove_face(self, gallery: str, face_id: str) -> int:
        """Erase one face and return the revision from which no index finds it. Raises FaceNotFound."""
        with self._write() as write:
            gallery_id = statements.gallery_id(write.connection, gallery)
            statements.blank_face(write.connection, gallery_id, face_id, write.revision)
            write.audit("erase_face", gallery=gallery, face_id=checks.canonical_face_id(face_id))
        self.purge()
        return write.revision

    def create_gallery(self, name: str) -> int:
        """Make a gallery, unless it exists, and return a revision from which indexes know it. Raises BadRequest."""
        checks.check_gallery_name(name)
        with self._write() as write:
            if not statements.insert_gallery(write.connection, name, write.revision):
                return write.undo()
            write.audit("create_gallery", gallery=name)
            return write.revision

    def drop_gallery(self, name: str) -> ErasedGallery:
        """Erase a gallery with all its subjects and faces."""
        with self._write() as write:
            gallery_id = statements.gallery_id(write.connection, name)
            erased = ErasedGallery(
                *statements.delete_gallery(write.connection, gallery_id, write.revision), write.revision
            )
            write.audit("drop_gallery", gallery=name, subjects=erased.subjects, faces=erased.faces)
        self.purge()
        return erased

    def erase_expired(self, limit: int = 100) -> int | None:
        """Erase up to `limit` subjects whose time is over; the revision from which no index finds them, or None.

        Replicas may do this side by side: each subject is erased once.
        """
        with self._read() as connection:
            if not statements.list_expired(connection, 1):
                return None
        with self._write() as write:
            expired = statements.list_expired(write.connection, limit)
            if not expired:
                write.undo()
                return None
            for row in expired:
                faces = statements.delete_subject(write.connection, row.id, write.revision)
                write.audit("expire", gallery=row.gallery, subject_id=row.subject_id, faces=faces)
        self.purge()
        return write.revision

    def record(self, entries: Sequence[audit.Entry]) -> None:
        """Add entries to the audit log."""
        with self._turn.taken(), database_errors(), self._writer.begin() as connection:
            audit.append(connection, entries)

    def prune_audit(self, retention: timedelta) -> int:
        """Delete entries of the audit log that are older, and return how many."""
        with self._turn.taken(), database_errors(), self._writer.begin() as connection:
            return audit.prune(connection, retention)

    def galleries(self) -> list[Gallery]:
        """All galleries by name."""
        with self._read() as connection:
            return statements.list_galleries(connection, self._model_id)

    def gallery(self, name: str) -> Gallery:
        """One gallery."""
        with self._read() as connection:
            key = statements.gallery_id(connection, name)
            found = statements.list_galleries(connection, self._model_id, galleries.c.id == key)
        if not found:  # dropped between the two statements
            raise statements.no_gallery(name)
        return found[0]

    def subject(self, gallery: str, subject_id: str) -> Subject:
        """What is known of a subject. Raises SubjectNotFound."""
        with self._read() as connection:
            row = self._subject_row(connection, gallery, subject_id)
            found = statements.list_subjects(connection, gallery, self._model_id, subjects.c.id == row.id, limit=1)
        if not found:  # erased between the two statements
            raise statements.no_subject(subject_id)
        return found[0]

    def subjects(self, gallery: str, *, prefix: str = "", limit: int = 100, after: str | None = None) -> list[Subject]:
        """Subjects by subject_id, in order of code points, that begin with `prefix` and follow `after`.

        Raises BadRequest for a `prefix` or an `after` that no subject_id can have.
        """
        condition = sa.true() if not prefix else statements.begins_with(checks.check_subject_id(prefix))
        if after is not None:
            condition = sa.and_(condition, subjects.c.subject_id > checks.check_subject_id(after))
        with self._read() as connection:
            return statements.list_subjects(connection, gallery, self._model_id, condition, limit)

    def faces(self, gallery: str, subject_id: str) -> list[GalleryFace]:
        """A subject's faces, oldest first. Raises SubjectNotFound."""
        with self._read() as connection:
            row = self._subject_row(connection, gallery, subject_id)
            return statements.list_faces(connection, row.id, self._model_id)

    def changes(self, after_revision: int, limit: int = 10_000) -> Changes:
        """What changed after a revision, about `limit` faces at a time; repeat from the revision it names."""
        with self._read() as connection:
            return read_changes(connection, self._model_id, after_revision, limit, self._keys)

    def check_keys(self) -> None:
        """Raises ConfigurationError where a key is missing that templates are encrypted with."""
        with self._read() as connection:
            for key_id in statements.key_ids(connection):
                self._keys.key(key_id)

    def revision(self) -> int:
        """The revision of the last committed write."""
        with self._read() as connection:
            return read_revision(connection)

    def purge(self) -> bool:
        """Overwrite what removed rows have left in SQLite's write-ahead log; False while a reader still needs it.

        PostgreSQL keeps removed rows until it vacuums, and its log until it recycles the segment.
        """
        if self._reader.dialect.name != "sqlite":
            return True
        try:
            with database_errors(), self._reader.execution_options(**NO_TRANSACTION).connect() as connection:
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        except NotReady:
            busy = 1
        if busy:
            logger.warning("the write-ahead log is in use; what was removed stays in it until the next sweep")
        self._unpurged = bool(busy)
        return not busy

    def purge_again(self) -> bool:
        """Purge if the last attempt came at a bad moment; False while it still does."""
        return not self._unpurged or self.purge()

    @contextmanager
    def _write(self) -> Iterator[_Write]:
        with (
            self._turn.taken(),
            database_errors(),
            self._writer.connect() as connection,
            connection.begin() as transaction,
        ):
            yield _Write(connection, transaction, statements.next_revision(connection))

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with database_errors(), self._reader.begin() as connection:
            yield connection

    def _subject_row(self, connection: sa.Connection, gallery: str, subject_id: str) -> sa.Row[Any]:
        return statements.subject(connection, statements.gallery_id(connection, gallery), subject_id)

    def _sort(
        self, connection: sa.Connection, key: int, faces: Sequence[NewFace], vectors: Sequence[bytes], max_faces: int
    ) -> tuple[list[StoredFace], list[dict[str, Any]]]:
        """What becomes of each face, and the rows to insert for those the subject does not have yet."""
        known = statements.face_ids_by_content(connection, key, self._model_id)
        stored, new = [], []
        for face, vector in zip(faces, vectors, strict=True):
            face_id = self._known_face(known, face.content_sha256)
            stored.append(StoredFace(face_id or str(uuid.uuid4()), existed=face_id is not None))
            if face_id is None:
                new.append(self._row(stored[-1].face_id, Template(vector, face.content_sha256)))
                known[new[-1]["content_sha256"], new[-1]["key_id"]] = stored[-1].face_id
        if new and len(known) > max_faces:
            raise BadRequest(
                f"the subject would have {len(known)} faces; the limit is {max_faces}",
                field="image",
                faces=len(known),
                max_faces=max_faces,
            )
        return stored, new

    def _known_face(self, known: Mapping[tuple[str, str | None], str], content_sha256: str) -> str | None:
        for key_id in {key_id for _, key_id in known}:
            face_id = known.get((self._keys.content_hash(content_sha256, key_id), key_id))
            if face_id is not None:
                return face_id
        return None

    def _row(self, face_id: str, template: Template) -> dict[str, Any]:
        sealed = self._keys.seal(template, face_id, self._model_id)
        return {"face_id": face_id, **asdict(sealed)}


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _CHECKS[key](value) for key, value in values.items()}


def _differing(row: sa.Row[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if getattr(row, key) != value}


def _to_bytes(embedding: Embedding) -> bytes:
    vector = np.asarray(embedding, "<f4")
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError(f"an embedding is one vector of finite numbers, not {vector.shape} {embedding.dtype}")
    return vector.tobytes()
