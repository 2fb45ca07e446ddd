"""Bringing every template under the first key, a batch at a time, while the service runs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from app.gallery.engine import WRITING, database_errors
from app.gallery.sealing import StoredTemplate, TemplateKeys
from app.gallery.tables import faces

BATCH = 1_000


def count_to_rotate(engine: sa.Engine, keys: TemplateKeys) -> int:
    """How many faces are not encrypted with the first key. Raises ConfigurationError where an old key is missing."""
    query = sa.select(faces.c.key_id, sa.func.count()).where(faces.c.vector.is_not(None)).group_by(faces.c.key_id)
    with database_errors(), engine.connect() as connection:
        counts = {row[0]: int(row[1]) for row in connection.execute(query)}
    for key_id in counts:
        if key_id is not None:
            keys.key(key_id)
    return sum(count for key_id, count in counts.items() if key_id != keys.primary_id)


def rotate(engine: sa.Engine, keys: TemplateKeys) -> Iterator[int]:
    """Encrypt anew what is not encrypted with the first key; yields the number of faces done in each batch.

    Each batch is a transaction of its own, and a face that was erased or rewritten meanwhile is left alone, so this
    can be stopped and begun again at any time. Revisions stay: an index has nothing to hear of it. Raises SealBroken
    for a row that was altered.
    """
    after = 0
    while True:
        with database_errors(), engine.execution_options(**WRITING).begin() as connection:
            query = sa.select(faces).where(
                faces.c.id > after, faces.c.vector.is_not(None), faces.c.key_id.is_distinct_from(keys.primary_id)
            )
            rows = connection.execute(query.order_by(faces.c.id).limit(BATCH)).all()
            done = _write_anew(connection, rows, keys)
        if not rows:
            return
        after = rows[-1].id
        yield done


def _write_anew(connection: sa.Connection, rows: Sequence[sa.Row[Any]], keys: TemplateKeys) -> int:
    if not rows:
        return 0
    # Only where the row is still as it was read: an erasure that came between stays one.
    unchanged = sa.and_(faces.c.id == sa.bindparam("row_id"), faces.c.vector == sa.bindparam("old_vector"))
    return connection.execute(sa.update(faces).where(unchanged), [_values(row, keys) for row in rows]).rowcount


def _values(row: sa.Row[Any], keys: TemplateKeys) -> dict[str, Any]:
    stored = StoredTemplate(row.vector, row.content_sha256, row.key_id)
    sealed = keys.seal(keys.open(stored, row.face_id, row.model_id), row.face_id, row.model_id)
    return {"row_id": row.id, "old_vector": row.vector, **asdict(sealed)}
