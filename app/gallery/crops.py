"""Crops of enrolled faces, kept where `store_crops` asks for it: sealed as templates are, gone with their face."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.domain import FaceCrop
from app.gallery.sealing import TemplateKeys
from app.gallery.tables import face_crops, faces, subjects


def crop_row(face_id: str, subject_key: int, crop: FaceCrop, keys: TemplateKeys) -> dict[str, Any]:
    """The row of `face_crops` for a face."""
    sealed, key_id = keys.seal_crop(crop.webp, face_id)
    template = [list(point) for point in crop.template]
    return {"face_id": face_id, "subject_key": subject_key, "crop": sealed, "template": template, "key_id": key_id}


def opened_crop(row: sa.Row[Any], keys: TemplateKeys) -> FaceCrop:
    """Of a row with `face_id`, `crop`, `template` and `key_id`. Raises SealBroken."""
    template = tuple((float(x), float(y)) for x, y in row.template)
    return FaceCrop(keys.open_crop(row.crop, row.key_id, row.face_id), template)


def insert_crops(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> int:
    """Add those whose face has none yet, and return how many."""
    given = {row["face_id"]: row for row in rows}
    held = sa.select(face_crops.c.face_id).where(face_crops.c.face_id.in_(given))
    missing = given.keys() - set(connection.execute(held).scalars()) if given else set()
    if missing:
        now = datetime.now(UTC)
        connection.execute(sa.insert(face_crops), [given[face_id] | {"created_at": now} for face_id in sorted(missing)])
    return len(missing)


def find_crop(connection: sa.Connection, gallery_id: int, face_id: str) -> sa.Row[Any] | None:
    """The row of a live face of a gallery, or None."""
    query = sa.select(face_crops).join(subjects).where(subjects.c.gallery_id == gallery_id)
    return connection.execute(query.where(face_crops.c.face_id == face_id)).one_or_none()


def delete_crop(connection: sa.Connection, face_id: str) -> None:
    """Delete the crop of one face."""
    connection.execute(sa.delete(face_crops).where(face_crops.c.face_id == face_id))


def delete_crops(connection: sa.Connection, erased: sa.ColumnElement[bool]) -> None:
    """Delete the crops of the subjects that meet a condition."""
    of = face_crops.c.subject_key.in_(sa.select(subjects.c.id).where(erased))
    connection.execute(sa.delete(face_crops).where(of))


def delete_faceless(connection: sa.Connection, face_ids: Sequence[str]) -> None:
    """Delete those of these faces' crops whose face no model has embedded any more."""
    given = face_crops.c.face_id.in_(face_ids)
    connection.execute(sa.delete(face_crops).where(given, _faceless()))


def without_face(connection: sa.Connection) -> int:
    """How many crops there are whose face was removed; none, unless something went wrong."""
    query = sa.select(sa.func.count()).select_from(face_crops).where(_faceless())
    return int(connection.execute(query).scalar_one())


def _faceless() -> sa.ColumnElement[bool]:
    live = sa.select(faces.c.id).where(faces.c.face_id == face_crops.c.face_id, faces.c.subject_key.is_not(None))
    return ~live.exists()
