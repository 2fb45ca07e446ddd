"""The SQL of the store, one statement or two a function, each inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.domain import Gallery, GalleryFace, Subject
from app.errors import SubjectNotFound
from app.gallery.absent import no_face, no_gallery
from app.gallery.checks import canonical_face_id, is_gallery_name, is_subject_id
from app.gallery.crops import delete_crop, delete_crops
from app.gallery.listener import announce
from app.gallery.tables import enrolment_answers, face_crops, faces, galleries, gallery_state, subjects

_LAST_CHARACTER = "\U0010ffff"  # no subject_id contains it
_TOMBSTONE = {"vector": None, "content_sha256": None, "subject_key": None, "key_id": None}


def next_revision(connection: sa.Connection) -> int:
    """Take the next revision; every other writer waits until this transaction ends."""
    taken = sa.update(gallery_state).values(revision=gallery_state.c.revision + 1).returning(gallery_state.c.revision)
    revision = int(connection.execute(taken).scalar_one())
    announce(connection)
    return revision


def no_subject(subject_id: str) -> SubjectNotFound:
    """What to raise for a subject that does not exist."""
    return SubjectNotFound("there is no such subject in this gallery", field="subject_id", subject_id=subject_id)


def gallery_id(connection: sa.Connection, name: str) -> int:
    """Raises GalleryNotFound."""
    query = sa.select(galleries.c.id).where(galleries.c.name == name)
    found = connection.execute(query).scalar_one_or_none() if is_gallery_name(name) else None
    if found is None:
        raise no_gallery(name)
    return int(found)


def insert_gallery(connection: sa.Connection, name: str, revision: int) -> bool:
    """Make a gallery; False where it exists."""
    if connection.execute(sa.select(galleries.c.id).where(galleries.c.name == name)).first():
        return False
    connection.execute(sa.insert(galleries).values(name=name, revision=revision, created_at=datetime.now(UTC)))
    return True


def delete_gallery(connection: sa.Connection, gallery: int, revision: int) -> tuple[int, int]:
    """Delete all rows of a gallery but its own, which becomes a tombstone; how many subjects and faces there were."""
    live = sa.select(sa.func.count(faces.c.face_id.distinct())).where(
        faces.c.gallery_id == gallery, faces.c.subject_key.is_not(None)
    )
    erased_faces = int(connection.execute(live).scalar_one())
    connection.execute(sa.delete(faces).where(faces.c.gallery_id == gallery))
    blank_answers(connection, subjects.c.gallery_id == gallery)
    delete_crops(connection, subjects.c.gallery_id == gallery)
    erased_subjects = connection.execute(sa.delete(subjects).where(subjects.c.gallery_id == gallery)).rowcount
    connection.execute(sa.update(galleries).where(galleries.c.id == gallery).values(name=None, revision=revision))
    return erased_subjects, erased_faces


def find_subject(connection: sa.Connection, gallery: int, subject_id: str) -> sa.Row[Any] | None:
    """The row of `subjects`, or None."""
    if not is_subject_id(subject_id):
        return None
    query = sa.select(subjects).where(subjects.c.gallery_id == gallery, subjects.c.subject_id == subject_id)
    return connection.execute(query).one_or_none()


def subject(connection: sa.Connection, gallery: int, subject_id: str) -> sa.Row[Any]:
    """The row of `subjects`. Raises SubjectNotFound."""
    row = find_subject(connection, gallery, subject_id)
    if row is None:
        raise no_subject(subject_id)
    return row


def insert_subject(connection: sa.Connection, gallery: int, subject_id: str, values: Mapping[str, Any]) -> int:
    """Make a subject and return its key."""
    return insert_subjects(connection, gallery, {subject_id: values})[subject_id]


def insert_subjects(connection: sa.Connection, gallery: int, values: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Make subjects, given as subject_id to what is known of each, and return their keys."""
    now = datetime.now(UTC)
    empty: dict[str, Any] = {"name": None, "metadata": {}, "expires_at": None}
    row = empty | {"gallery_id": gallery, "created_at": now, "updated_at": now}
    rows = [row | {"subject_id": subject_id} | dict(own) for subject_id, own in values.items()]
    made = connection.execute(sa.insert(subjects).returning(subjects.c.subject_id, subjects.c.id), rows)
    return {row.subject_id: row.id for row in made}


def update_subject(connection: sa.Connection, row: sa.Row[Any], values: Mapping[str, Any], revision: int) -> None:
    """Change a subject; a new name is a change of all its faces, for that is where an index reads it."""
    changed = sa.update(subjects).where(subjects.c.id == row.id)
    connection.execute(changed.values({**values, "updated_at": datetime.now(UTC)}))
    if "name" in values:
        connection.execute(sa.update(faces).where(faces.c.subject_key == row.id).values(revision=revision))


def delete_subject(connection: sa.Connection, key: int, revision: int) -> int:
    """Delete a subject and turn its faces into tombstones; how many there were."""
    own = faces.c.subject_key == key
    count = int(connection.execute(sa.select(sa.func.count(faces.c.face_id.distinct())).where(own)).scalar_one())
    blank_faces(connection, own, revision)
    blank_answers(connection, subjects.c.id == key)
    delete_crops(connection, subjects.c.id == key)
    connection.execute(sa.delete(subjects).where(subjects.c.id == key))
    return count


def is_over(row: sa.Row[Any]) -> bool:
    """Whether the time of a row of `subjects` is over."""
    return row.expires_at is not None and row.expires_at <= datetime.now(UTC)


def list_expired(connection: sa.Connection, limit: int) -> list[sa.Row[Any]]:
    """id, subject_id and the gallery's name of subjects whose time is over, the longest first."""
    query = sa.select(subjects.c.id, subjects.c.subject_id, galleries.c.name.label("gallery"))
    over = subjects.c.expires_at <= datetime.now(UTC)
    return list(connection.execute(query.join(galleries).where(over).order_by(subjects.c.expires_at).limit(limit)))


def key_ids(connection: sa.Connection) -> list[str]:
    """All keys that faces or their crops are encrypted with."""
    used = [sa.select(table.c.key_id).where(table.c.key_id.is_not(None)) for table in (faces, face_crops)]
    return list(connection.execute(sa.union(*used)).scalars())


def face_ids_by_content(
    connection: sa.Connection, key: int, model_id: str | None = None
) -> dict[tuple[str, str | None], str]:
    """The face_id of each of a subject's faces of a model, or of any, by content_sha256 and key_id."""
    query = sa.select(faces.c.content_sha256, faces.c.key_id, faces.c.face_id).where(faces.c.subject_key == key)
    rows = connection.execute(query if model_id is None else query.where(faces.c.model_id == model_id))
    return {(row.content_sha256, row.key_id): row.face_id for row in rows}


def insert_faces(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows of `faces`, all of one model. A tombstone of the same face and model becomes the face again."""
    if not rows:
        return
    now = datetime.now(UTC)
    given = {row["face_id"]: {"created_at": now, **row} for row in rows}
    own = sa.and_(faces.c.model_id == rows[0]["model_id"], faces.c.face_id.in_(given))
    for face_id in connection.execute(sa.select(faces.c.face_id).where(own)).scalars().all():
        again = sa.update(faces).where(own, faces.c.face_id == face_id, faces.c.subject_key.is_(None))
        connection.execute(again.values(given.pop(face_id)))
    if given:
        connection.execute(sa.insert(faces), list(given.values()))


def blank_faces(connection: sa.Connection, which: sa.ColumnElement[bool], revision: int) -> None:
    """Turn faces into tombstones."""
    connection.execute(sa.update(faces).where(which).values(**_TOMBSTONE, revision=revision))


def blank_face(connection: sa.Connection, gallery: int, face_id: str, revision: int) -> None:
    """Turn a face into a tombstone. Raises FaceNotFound."""
    own = sa.and_(
        faces.c.gallery_id == gallery,
        faces.c.face_id == canonical_face_id(face_id),
        faces.c.subject_key.is_not(None),
    )
    key = connection.execute(sa.select(faces.c.subject_key).where(own)).scalars().first()
    if key is None:
        raise no_face(face_id)
    blank_faces(connection, own, revision)
    blank_answers(connection, subjects.c.id == key)
    delete_crop(connection, canonical_face_id(face_id))
    connection.execute(sa.update(subjects).where(subjects.c.id == key).values(updated_at=datetime.now(UTC)))


def blank_answers(connection: sa.Connection, erased: sa.ColumnElement[bool]) -> None:
    """Forget what enrolments of these subjects were answered: it speaks of what is not so any more."""
    of = enrolment_answers.c.subject_key.in_(sa.select(subjects.c.id).where(erased))
    blank = {"subject_key": None, "request_sha256": None, "status": None, "answer": None}
    connection.execute(sa.update(enrolment_answers).where(of).values(blank))


def blank_answers_of_lost(connection: sa.Connection, which: sa.ColumnElement[bool], model_id: str) -> None:
    """Forget the answers of subjects that lose faces with these rows, because no other model has embedded them."""
    other = faces.alias()
    elsewhere = sa.select(other.c.id).where(
        other.c.face_id == faces.c.face_id, other.c.model_id != model_id, other.c.subject_key.is_not(None)
    )
    losing = sa.select(faces.c.subject_key).where(which, ~elsewhere.exists())
    blank_answers(connection, subjects.c.id.in_(losing))


def list_galleries(
    connection: sa.Connection, model_id: str, condition: sa.ColumnElement[bool] | None = None
) -> list[Gallery]:
    """All galleries, or those that meet a condition, by name."""
    people = sa.select(sa.func.count()).where(subjects.c.gallery_id == galleries.c.id).scalar_subquery()
    own = sa.and_(faces.c.gallery_id == galleries.c.id, faces.c.model_id == model_id, faces.c.subject_key.is_not(None))
    count = sa.select(sa.func.count()).where(own).scalar_subquery()
    query = sa.select(galleries.c.name, galleries.c.created_at, people, count).where(galleries.c.name.is_not(None))
    if condition is not None:
        query = query.where(condition)
    return [Gallery(*row) for row in connection.execute(query.order_by(galleries.c.name))]


def list_subjects(
    connection: sa.Connection, gallery: str, model_id: str, condition: sa.ColumnElement[bool], limit: int
) -> list[Subject]:
    """Subjects of a gallery that meet a condition, by subject_id."""
    count = sa.select(sa.func.count()).where(faces.c.subject_key == subjects.c.id, faces.c.model_id == model_id)
    query = (
        sa.select(subjects, count.scalar_subquery().label("faces"))
        .where(subjects.c.gallery_id == gallery_id(connection, gallery), condition)
        .order_by(subjects.c.subject_id)
        .limit(limit)
    )
    return [
        Subject(
            subject_id=row.subject_id,
            gallery=gallery,
            name=row.name,
            metadata=row.metadata,
            created_at=row.created_at,
            updated_at=row.updated_at,
            faces=row.faces,
            expires_at=row.expires_at,
        )
        for row in connection.execute(query)
    ]


def begins_with(prefix: str) -> sa.ColumnElement[bool]:
    """Subjects whose id begins with `prefix`, as a range that an index can answer."""
    return subjects.c.subject_id.between(prefix, prefix + _LAST_CHARACTER)


def list_faces(connection: sa.Connection, key: int, model_id: str) -> list[GalleryFace]:
    """A subject's faces, oldest first."""
    query = sa.select(faces.c.face_id, faces.c.created_at, face_crops.c.face_id.is_not(None))
    query = query.join(face_crops, face_crops.c.face_id == faces.c.face_id, isouter=True)
    own = query.where(faces.c.subject_key == key, faces.c.model_id == model_id)
    return [GalleryFace(*row) for row in connection.execute(own.order_by(faces.c.id))]


def has_face(connection: sa.Connection, gallery: int, face_id: str) -> bool:
    """Whether a face of a gallery is there, of whatever model."""
    own = sa.and_(faces.c.gallery_id == gallery, faces.c.face_id == face_id, faces.c.subject_key.is_not(None))
    return connection.execute(sa.select(faces.c.id).where(own).limit(1)).first() is not None
