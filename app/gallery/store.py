"""The gallery in the database: every write one transaction, every answer already durable."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.domain import (
    CollectionFace,
    EnrolledSubject,
    ErasedGallery,
    ErasedSubject,
    FaceCrop,
    Gallery,
    GalleryFace,
    NewFace,
    Subject,
    SubjectChanges,
)
from app.errors import CropNotKept, FaceNotFound
from app.gallery import audit, checks, collection, crops, model_change, statements
from app.gallery.changes import Changes, read_changes, read_revision
from app.gallery.new_faces import FaceSorter
from app.gallery.sealing import TemplateKeys
from app.gallery.tables import galleries, subjects
from app.gallery.transactions import Transactions

_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": checks.check_name,
    "metadata": checks.check_metadata,
    "expires_at": checks.check_expires_at,
}


class GalleryStore:
    """Galleries, subjects and the faces of one model, in SQL. Synchronous and thread-safe.

    Every method raises NotReady when the database cannot answer, and GalleryNotFound for a gallery that does not
    exist. What a method wrote is on disk when it returns; a method that raises has changed nothing. Every write is in
    the audit log. With `keys`, vectors are encrypted on their way into the database.
    """

    def __init__(self, engine: sa.Engine, model_id: str, keys: TemplateKeys | None = None) -> None:
        self._transactions = Transactions(engine)
        self._model_id = model_id
        self._keys = keys or TemplateKeys()
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
    ) -> EnrolledSubject:
        """Store faces of a new or a known subject; None leaves what is known of it as it is.

        A photograph that the subject has already is not stored again, though its crop is where it was not kept before;
        where nothing changes, there is no new revision. Raises BadRequest for what cannot be stored, and for more than
        `max_faces` faces in all.
        """
        checks.check_subject_id(subject_id)
        wanted = {"name": name, "metadata": metadata, "expires_at": expires_at}
        values = _checked({key: value for key, value in wanted.items() if value is not None})
        with self._transactions.write() as write:
            gallery_id = statements.gallery_id(write.connection, gallery)
            row = statements.find_subject(write.connection, gallery_id, subject_id)
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
            revision = write.revision if changed else write.undo()
        return EnrolledSubject(subject_id, created=row is None, revision=revision, faces=given.stored)

    def update_subject(self, gallery: str, subject_id: str, changes: SubjectChanges) -> int:
        """Change what is known of a subject and return the revision from which indexes know.

        Raises SubjectNotFound, and BadRequest for what cannot be stored.
        """
        values = _checked(changes)
        with self._transactions.write() as write:
            row = self._subject_row(write.connection, gallery, subject_id)
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

        Where there is one of that id, the faces become its own. Raises SubjectNotFound, and BadRequest for an id that
        a subject cannot have and for more than `max_faces` faces in all.
        """
        checks.check_subject_id(new_id)
        with self._transactions.write() as write:
            row = self._subject_row(write.connection, gallery, subject_id)
            other = statements.find_subject(write.connection, row.gallery_id, new_id)
            if other is not None and other.id == row.id:
                return write.undo()
            if other is None:
                collection.rename_subject(write.connection, row.id, new_id, write.revision)
            else:
                collection.merge_subject(write.connection, row.id, other.id, write.revision, max_faces)
            facts = {"gallery": gallery, "subject_id": subject_id, "new_subject_id": new_id}
            write.audit("rename", merged=other is not None, **facts)
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
        checks.check_gallery_name(name)
        with self._transactions.write() as write:
            if not statements.insert_gallery(write.connection, name, write.revision):
                return write.undo()
            write.audit("create_gallery", gallery=name)
            return write.revision

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
                faces = statements.delete_subject(write.connection, row.id, write.revision)
                write.audit("expire", gallery=row.gallery, subject_id=row.subject_id, faces=faces)
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

    def galleries(self) -> list[Gallery]:
        """All galleries by name."""
        with self._transactions.read() as connection:
            return statements.list_galleries(connection, self._model_id)

    def gallery(self, name: str) -> Gallery:
        """One gallery."""
        with self._transactions.read() as connection:
            key = statements.gallery_id(connection, name)
            found = statements.list_galleries(connection, self._model_id, galleries.c.id == key)
        if not found:  # dropped between the two statements
            raise statements.no_gallery(name)
        return found[0]

    def subject(self, gallery: str, subject_id: str) -> Subject:
        """What is known of a subject. Raises SubjectNotFound."""
        with self._transactions.read() as connection:
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
        with self._transactions.read() as connection:
            return statements.list_subjects(connection, gallery, self._model_id, condition, limit)

    def faces(self, gallery: str, subject_id: str) -> list[GalleryFace]:
        """A subject's faces, oldest first. Raises SubjectNotFound."""
        with self._transactions.read() as connection:
            row = self._subject_row(connection, gallery, subject_id)
            return statements.list_faces(connection, row.id, self._model_id)

    def crop(self, gallery: str, face_id: str) -> FaceCrop:
        """The crop of a face. Raises FaceNotFound, CropNotKept where only the embedding is stored, and SealBroken."""
        canonical = checks.canonical_face_id(face_id)
        with self._transactions.read() as connection:
            gallery_id = statements.gallery_id(connection, gallery)
            row = crops.find_crop(connection, gallery_id, canonical)
            if row is None and not statements.has_face(connection, gallery_id, canonical):
                raise FaceNotFound("there is no such face in this gallery", field="face_id", face_id=face_id)
        if row is None:
            raise CropNotKept("no crop of this face is stored, only its embedding", field="face_id", face_id=face_id)
        return crops.opened_crop(row, self._keys)

    def collection(
        self, gallery: str, subject_id: str | None = None, *, offset: int = 0, limit: int = 100
    ) -> tuple[list[CollectionFace], int]:
        """Faces of a gallery, or of one subject, oldest first from `offset` on; and how many there are in all."""
        with self._transactions.read() as connection:
            gallery_id = statements.gallery_id(connection, gallery)
            return collection.list_faces(connection, gallery_id, self._model_id, subject_id, offset=offset, limit=limit)

    def subject_of_face(self, gallery: str, face_id: str) -> str:
        """Whose face it is. Raises FaceNotFound."""
        with self._transactions.read() as connection:
            return collection.subject_of_face(connection, statements.gallery_id(connection, gallery), face_id)

    def changes(self, after_revision: int, limit: int = 10_000) -> Changes:
        """What changed after a revision, about `limit` faces at a time; repeat from the revision it names."""
        with self._transactions.read() as connection:
            return read_changes(connection, self._model_id, after_revision, limit, self._keys)

    def check_keys(self) -> None:
        """Raises ConfigurationError where a key is missing that templates are encrypted with."""
        with self._transactions.read() as connection:
            for key_id in statements.key_ids(connection):
                self._keys.key(key_id)

    def check_model(self, *, start_without_faces: bool) -> None:
        """Raises ConfigurationError where faces of other models are stored, and none of this one."""
        with self._transactions.read() as connection:
            model_change.check_model(connection, self._model_id, start_without_faces=start_without_faces)

    def revision(self) -> int:
        """The revision of the last committed write."""
        with self._transactions.read() as connection:
            return read_revision(connection)

    def purge(self) -> bool:
        """Overwrite what removed rows have left in SQLite's write-ahead log; False while a reader still needs it."""
        return self._transactions.purge()

    def purge_again(self) -> bool:
        """Purge if the last attempt came at a bad moment; False while it still does."""
        return self._transactions.purge_again()

    def _subject_row(self, connection: sa.Connection, gallery: str, subject_id: str) -> sa.Row[Any]:
        return statements.subject(connection, statements.gallery_id(connection, gallery), subject_id)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _CHECKS[key](value) for key, value in values.items()}


def _differing(row: sa.Row[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if getattr(row, key) != value}
