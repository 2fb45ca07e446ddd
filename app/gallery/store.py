"""The gallery in the database: every write one transaction, every answer already durable."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.domain import (
    EnrolledSubject,
    ErasedGallery,
    ErasedSubject,
    NewFace,
    SubjectChanges,
)
from app.gallery import audit, checks, collection, crops, many, statements
from app.gallery.many import NewSubject
from app.gallery.new_faces import FaceSorter
from app.gallery.reader import GalleryReader
from app.gallery.sealing import TemplateKeys
from app.gallery.transactions import Write

_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": checks.check_name,
    "metadata": checks.check_metadata,
    "expires_at": checks.check_expires_at,
}


class GalleryStore(GalleryReader):
    """Galleries, subjects and the faces of one model, in SQL. Synchronous and thread-safe.

    Every method raises NotReady when the database cannot answer, and GalleryNotFound for a gallery that does not
    exist. What a method wrote is on disk when it returns; a method that raises has changed nothing. Every write is in
    the audit log. With `keys`, vectors are encrypted on their way into the database.
    """

    def __init__(self, engine: sa.Engine, model_id: str, keys: TemplateKeys | None = None) -> None:
        super().__init__(engine, model_id, keys)
        self._sorter = FaceSorter(model_id, self._keys)

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
        keep: Callable[[sa.Connection, int, EnrolledSubject], None] | None = None,
    ) -> EnrolledSubject:
        """Store faces of a new or a known subject; None leaves what is known of it as it is.

        A photograph that the subject has already is not stored again, though its crop is where it was not kept before;
        where nothing changes, there is no new revision. A subject whose time is over is erased first, as a sweep would
        have done it, and is a new one. Raises BadRequest for what cannot be stored, and for more than
        `max_faces` faces in all. `keep` is called with the subject's key inside the transaction; what it raises undoes
        all.
        """
        checks.check_subject_id(subject_id)
        wanted = {"name": name, "metadata": metadata, "expires_at": expires_at}
        values = _checked({key: value for key, value in wanted.items() if value is not None})
        with self._transactions.write() as write:
            gallery_id = statements.gallery_id(write.connection, gallery)
            row, is_over = _find_alive(write, gallery_id, gallery, subject_id)
            if row is None:
                key = statements.insert_subject(write.connection, gallery_id, subject_id, values)
            else:
                key = row.id
                values = _differing(row, values)
            given = self._sorter.sort(write.connection, key, faces, max_faces)
            place = {"gallery_id": gallery_id, "subject_key": key, "model_id": self._model_id}
            new = [place | face | {"revision": write.revision} for face in given.new]
            statements.insert_faces(write.connection, new)
            new_crops = crops.insert_crops(write.connection, given.crops)
            if row is not None and (new or values):
                statements.update_subject(write.connection, row, values, write.revision)
            if changed := row is None or new or values or new_crops:
                facts = {"created": row is None, "faces": len(new), "crops": new_crops or None}
                write.audit("enroll", gallery=gallery, subject_id=subject_id, **facts)
            revision = write.revision if changed else write.revision - 1
            enrolled = EnrolledSubject(subject_id, created=row is None, revision=revision, faces=given.stored)
            if changed and keep is not None:
                keep(write.connection, key, enrolled)
            elif not changed:
                write.undo()
        if is_over:
            self.purge()
        if not changed and keep is not None:
            with self._transactions.write_beside() as connection:
                keep(connection, key, enrolled)
        return enrolled

    def add_new(self, gallery: str, given: Sequence[NewSubject], *, max_faces: int = 100) -> list[EnrolledSubject]:
        """Store those subjects that are not there yet, in one transaction and under one revision; without crops.

        Those that are there, and a second one of an id, are left to `add`. Raises as `add` does, and then nothing is
        stored.
        """
        for subject in given:
            checks.check_subject_id(subject.subject_id)
        checked = [replace(subject, values=_checked(subject.values)) for subject in given]
        with self._transactions.write() as write:
            key = statements.gallery_id(write.connection, gallery)
            new = many.new_ones(write.connection, key, checked)
            if not new:
                write.undo()
                return []
            return many.insert(write, (key, gallery), new, self._sorter, self._model_id, max_faces)

    def update_subject(self, gallery: str, subject_id: str, changes: SubjectChanges) -> int:
        """Change what is known of a subject and return the revision from which indexes know.

        Raises SubjectNotFound, also where the subject's time is over, and BadRequest for what cannot be stored.
        """
        values = _checked(changes)
        with self._transactions.write() as write:
            row = self._living_row(write.connection, gallery, subject_id)
            values = _differing(row, values)
            if not values:
                return write.undo()
            statements.update_subject(write.connection, row, values, write.revision)
            write.audit("update", gallery=gallery, subject_id=subject_id, fields=sorted(values))
            return write.revision

    def remove_subject(self, gallery: str, subject_id: str) -> ErasedSubject:
        """Erase a subject and all its faces. Raises SubjectNotFound."""
        with self._transactions.write() as write:
            row = self._subject_row(write.connection, gallery, subject_id)
            erased = ErasedSubject(statements.delete_subject(write.connection, row.id, write.revision), write.revision)
            write.audit("erase", gallery=gallery, subject_id=subject_id, faces=erased.faces)
        self.purge()
        return erased

    def remove_subjects(self, gallery: str, limit: int = 500) -> ErasedGallery:
        """Erase up to `limit` subjects of a gallery; it stays itself. Repeat until none is left."""
        with self._transactions.write() as write:
            gallery_id = statements.gallery_id(write.connection, gallery)
            keys = collection.oldest_subjects(write.connection, gallery_id, limit)
            if not keys:
                return ErasedGallery(0, 0, write.undo())
            erased = sum(statements.delete_subject(write.connection, key, write.revision) for key in keys)
            write.audit("erase_subjects", gallery=gallery, subjects=len(keys), faces=erased)
        self.purge()
        return ErasedGallery(len(keys), erased, write.revision)

    def rename_subject(self, gallery: str, subject_id: str, new_id: str, *, max_faces: int = 100) -> int:
        """Give a subject another id and return the revision from which indexes know.

        Where there is one of that id, the faces become its own, unless its time is over: then it is erased. Raises
        SubjectNotFound, and BadRequest for an id that a subject cannot have and for more than `max_faces` faces in all.
        """
        checks.check_new_subject_id(new_id)
        with self._transactions.write() as write:
            row = self._living_row(write.connection, gallery, subject_id)
            other, is_over = _find_alive(write, row.gallery_id, gallery, new_id)
            if other is not None and other.id == row.id:
                return write.undo()
            if other is None:
                collection.rename_subject(write.connection, row.id, new_id, write.revision)
            else:
                collection.merge_subject(write.connection, row.id, other.id, write.revision, max_faces)
            facts = {"gallery": gallery, "subject_id": subject_id, "new_subject_id": new_id}
            write.audit("rename", merged=other is not None, **facts)
        if is_over:
            self.purge()
        return write.revision

    def remove_face(self, gallery: str, face_id: str) -> int:
        """Erase one face and return the revision from which no index finds it. Raises FaceNotFound."""
        with self._transactions.write() as write:
            gallery_id = statements.gallery_id(write.connection, gallery)
            statements.blank_face(write.connection, gallery_id, face_id, write.revision)
            write.audit("erase_face", gallery=gallery, face_id=checks.canonical_face_id(face_id))
        self.purge()
        return write.revision

    def create_gallery(self, name: str) -> int:
        """Make a gallery, unless it exists, and return a revision from which indexes know it. Raises BadRequest."""
        return self.ensure_gallery(name)[0]

    def ensure_gallery(self, name: str) -> tuple[int, bool]:
        """As `create_gallery`, and whether it was made now."""
        checks.check_gallery_name(name)
        with self._transactions.write() as write:
            if not statements.insert_gallery(write.connection, name, write.revision):
                return write.undo(), False
            write.audit("create_gallery", gallery=name)
            return write.revision, True

    def drop_gallery(self, name: str) -> ErasedGallery:
        """Erase a gallery with all its subjects and faces."""
        with self._transactions.write() as write:
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
        with self._transactions.read() as connection:
            if not statements.list_expired(connection, 1):
                return None
        with self._transactions.write() as write:
            expired = statements.list_expired(write.connection, limit)
            if not expired:
                write.undo()
                return None
            for row in expired:
                _erase_expired(write, row.id, row.gallery, row.subject_id)
        self.purge()
        return write.revision

    def record(self, entries: Sequence[audit.Entry]) -> None:
        """Add entries to the audit log."""
        with self._transactions.write_beside() as connection:
            audit.append(connection, entries)

    def prune_audit(self, retention: timedelta) -> int:
        """Delete entries of the audit log that are older, and return how many."""
        with self._transactions.write_beside() as connection:
            return audit.prune(connection, retention)

    def purge(self) -> bool:
        """Overwrite what removed rows have left in SQLite's write-ahead log; False while a reader still needs it."""
        return self._transactions.purge()

    def purge_again(self) -> bool:
        """Purge unless the last attempt did; False while somebody is reading."""
        return self._transactions.purge_again()

    def _living_row(self, connection: sa.Connection, gallery: str, subject_id: str) -> sa.Row[Any]:
        """A subject's row. Raises SubjectNotFound, also where its time is over though nobody has swept yet."""
        row = self._subject_row(connection, gallery, subject_id)
        if statements.is_over(row):
            raise statements.no_subject(subject_id)
        return row


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _CHECKS[key](value) for key, value in values.items()}


def _find_alive(write: Write, gallery_id: int, gallery: str, subject_id: str) -> tuple[sa.Row[Any] | None, bool]:
    """A subject's row, or None; and whether there was one whose time is over, which is erased."""
    row = statements.find_subject(write.connection, gallery_id, subject_id)
    if row is None or not statements.is_over(row):
        return row, False
    _erase_expired(write, row.id, gallery, subject_id)
    return None, True


def _erase_expired(write: Write, key: int, gallery: str, subject_id: str) -> None:
    faces = statements.delete_subject(write.connection, key, write.revision)
    write.audit("expire", gallery=gallery, subject_id=subject_id, faces=faces)


def _differing(row: sa.Row[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if _as_kept(getattr(row, key)) != _as_kept(value)}


def _as_kept(value: Any) -> Any:
    """Metadata as text: to Python 1, 1.0 and true are equal."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
