"""What is in the gallery, as the database knows it."""

from typing import Any

import sqlalchemy as sa

from app.domain import CollectionFace, FaceCrop, Gallery, GalleryFace, Subject
from app.errors import CropNotKept
from app.gallery import checks, collection, crops, model_change, statements
from app.gallery.absent import no_face, no_gallery
from app.gallery.changes import AuditEnd, Changes, contains, read_changes, read_revision
from app.gallery.sealing import TemplateKeys
from app.gallery.tables import galleries, subjects
from app.gallery.transactions import Transactions


class GalleryReader:
    """Galleries, subjects and the faces of one model. Synchronous and thread-safe.

    Every method raises NotReady when the database cannot answer, and GalleryNotFound for a gallery that does not exist.
    """

    def __init__(self, engine: sa.Engine, model_id: str, keys: TemplateKeys | None = None) -> None:
        self._transactions = Transactions(engine)
        self._model_id = model_id
        self._keys = keys or TemplateKeys()

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
            raise no_gallery(name)
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
                raise no_face(face_id)
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

    def continues(self, end: AuditEnd) -> bool:
        """Whether this is still the database whose audit log once ended so, and not an earlier state of it."""
        with self._transactions.read() as connection:
            return contains(connection, end)

    @property
    def reads_beside_work(self) -> bool:
        """Whether another thread can work while changes are read; SQLite would wait for the interpreter at each row."""
        return self._transactions.dialect != "sqlite"

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

    def _subject_row(self, connection: sa.Connection, gallery: str, subject_id: str) -> sa.Row[Any]:
        return statements.subject(connection, statements.gallery_id(connection, gallery), subject_id)
