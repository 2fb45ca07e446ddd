"""Bringing every template, and every crop, under the first key, a batch at a time, while the service runs."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from app.gallery.engine import WRITING, database_errors
from app.gallery.sealing import SealBroken, StoredTemplate, TemplateKeys
from app.gallery.tables import face_crops, faces

logger = logging.getLogger(__name__)

BATCH = 1_000
CROP_BATCH = 100  # a crop is fifty times as large as a template

_Values = Callable[[sa.Row[Any], TemplateKeys], dict[str, Any]]


def count_to_rotate(engine: sa.Engine, keys: TemplateKeys) -> int:
    """How many templates and crops are not encrypted with the first key.

    Raises ConfigurationError where an old key is missing.
    """
    counts: list[tuple[str | None, int]] = []
    with database_errors(), engine.connect() as connection:
        for sealed in (faces.c.vector, face_crops.c.crop):
            column = sealed.table.c.key_id
            query = sa.select(column, sa.func.count()).where(sealed.is_not(None)).group_by(column)
            counts += [(row[0], int(row[1])) for row in connection.execute(query)]
    for key_id, _ in counts:
        if key_id is not None:
            keys.key(key_id)
    return sum(count for key_id, count in counts if key_id != keys.primary_id)


def rotate(engine: sa.Engine, keys: TemplateKeys) -> Iterator[int]:
    """Encrypt anew what is not encrypted with the first key; yields how many were done in each batch.

    Each batch is a transaction of its own, and a face that was erased or rewritten meanwhile is left alone, so this
    can be stopped and begun again at any time. Revisions stay: an index has nothing to hear of it. A row that was
    altered cannot be opened and stays as it is; the log names it, and `count_to_rotate` counts it.
    """
    yield from _rotate(engine, keys, faces.c.id, faces.c.vector, _sealed_template, BATCH)
    yield from _rotate(engine, keys, face_crops.c.face_id, face_crops.c.crop, _sealed_crop, CROP_BATCH)


def _rotate(
    engine: sa.Engine,
    keys: TemplateKeys,
    row_id: sa.Column[Any],
    sealed: sa.Column[Any],
    values: _Values,
    batch: int,
) -> Iterator[int]:
    table = sealed.table
    due = sa.and_(sealed.is_not(None), table.c.key_id.is_distinct_from(keys.primary_id))
    query = sa.select(table).where(due).order_by(row_id).limit(batch)
    # Only where the row is still as it was read: an erasure that came between stays one.
    unchanged = sa.and_(row_id == sa.bindparam("row_id"), sealed == sa.bindparam("old"))
    after: Any = None
    while True:
        with database_errors(), engine.execution_options(**WRITING).begin() as connection:
            rows = connection.execute(query if after is None else query.where(row_id > after)).all()
            done = _write_anew(connection, sa.update(table).where(unchanged), _readable(rows, keys, values))
        if not rows:
            return
        after = getattr(rows[-1], row_id.name)
        yield done


def _readable(rows: Sequence[sa.Row[Any]], keys: TemplateKeys, values: _Values) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        try:
            found.append(values(row, keys))
        except SealBroken as error:
            logger.error("%s; it is left as it is", error)
    return found


def _write_anew(connection: sa.Connection, statement: sa.Update, values: Sequence[dict[str, Any]]) -> int:
    return connection.execute(statement, values).rowcount if values else 0


def _sealed_template(row: sa.Row[Any], keys: TemplateKeys) -> dict[str, Any]:
    stored = StoredTemplate(row.vector, row.content_sha256, row.key_id)
    sealed = keys.seal(keys.open(stored, row.face_id, row.model_id), row.face_id, row.model_id)
    return {"row_id": row.id, "old": row.vector, **asdict(sealed)}


def _sealed_crop(row: sa.Row[Any], keys: TemplateKeys) -> dict[str, Any]:
    sealed, key_id = keys.seal_crop(keys.open_crop(row.crop, row.key_id, row.face_id), row.face_id)
    return {"row_id": row.face_id, "old": row.crop, "crop": sealed, "key_id": key_id}
