"""A gallery as one collection of faces: all of them in pages, renamed or merged subjects, everything erased."""

from datetime import UTC, datetime

import sqlalchemy as sa

from app.domain import CollectionFace
from app.gallery import statements
from app.gallery.absent import no_face
from app.gallery.checks import canonical_face_id, check_face_count, is_subject_id
from app.gallery.tables import face_crops, faces, subjects


def list_faces(
    connection: sa.Connection, gallery: int, model_id: str, subject_id: str | None, *, offset: int, limit: int
) -> tuple[list[CollectionFace], int]:
    """Faces of a gallery, or of one subject, oldest first, `limit` of them from `offset` on; and how many there are."""
    own = sa.and_(faces.c.gallery_id == gallery, faces.c.model_id == model_id)
    if subject_id is not None:
        if not is_subject_id(subject_id):
            return [], 0
        own = sa.and_(own, subjects.c.subject_id == subject_id)
    query = sa.select(faces.c.face_id, subjects.c.subject_id).join(subjects, faces.c.subject_key == subjects.c.id)
    found = connection.execute(query.where(own).order_by(faces.c.id).offset(offset).limit(limit))
    total = connection.execute(query.where(own).with_only_columns(sa.func.count())).scalar_one()
    return [CollectionFace(*row) for row in found], int(total)


def subject_of_face(connection: sa.Connection, gallery: int, face_id: str) -> str:
    """The subject_id of a face. Raises FaceNotFound."""
    query = sa.select(subjects.c.subject_id).join(faces, faces.c.subject_key == subjects.c.id)
    own = sa.and_(faces.c.gallery_id == gallery, faces.c.face_id == canonical_face_id(face_id))
    found = connection.execute(query.where(own)).scalars().first()
    if found is None:
        raise no_face(face_id)
    return str(found)


def oldest_subjects(connection: sa.Connection, gallery: int, limit: int) -> list[int]:
    """The keys of up to `limit` subjects."""
    query = sa.select(subjects.c.id).where(subjects.c.gallery_id == gallery).order_by(subjects.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def rename_subject(connection: sa.Connection, key: int, subject_id: str, revision: int) -> None:
    """Give a subject another id; a change of all its faces, for that is where an index reads it."""
    statements.blank_answers(connection, subjects.c.id == key)
    changed = {"subject_id": subject_id, "updated_at": datetime.now(UTC)}
    connection.execute(sa.update(subjects).where(subjects.c.id == key).values(changed))
    connection.execute(sa.update(faces).where(faces.c.subject_key == key).values(revision=revision))


def merge_subject(connection: sa.Connection, key: int, into: int, revision: int, max_faces: int) -> None:
    """Give a subject's faces to another one, and delete it. Raises BadRequest where they would be too many."""
    own = faces.c.subject_key.in_([key, into])
    count = int(connection.execute(sa.select(sa.func.count(faces.c.face_id.distinct())).where(own)).scalar_one())
    check_face_count(count, max_faces, "subject_id")
    moved = sa.update(faces).where(faces.c.subject_key == key).values(subject_key=into, revision=revision)
    connection.execute(moved)
    connection.execute(sa.update(face_crops).where(face_crops.c.subject_key == key).values(subject_key=into))
    connection.execute(sa.update(subjects).where(subjects.c.id == into).values(updated_at=datetime.now(UTC)))
    statements.delete_subject(connection, key, revision)
