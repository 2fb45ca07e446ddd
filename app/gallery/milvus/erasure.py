"""Proof that Milvus has nothing of what was erased, as far as it can be asked.

Rows that were deleted can be found no more at once. Their bytes stay in Milvus's segments until a compaction has
written those anew, which is asked for here, and in its object storage until its garbage collection has deleted the old
files; docs/milvus.md says when. milvus-lite compacts when it likes, whatever it is asked.
"""

import time
from collections.abc import Iterator

import sqlalchemy as sa

from app.errors import NotReady
from app.gallery.engine import database_errors
from app.gallery.erasure import Finding
from app.gallery.milvus.catalogue import Catalogue
from app.gallery.milvus.connection import MilvusConnection
from app.gallery.milvus.faces import among
from app.gallery.milvus.progress import read_progress
from app.gallery.milvus.schema import ensure_loaded
from app.gallery.tables import faces, gallery_state

_IDS_PER_QUERY = 5_000
_LOOK_SECONDS = 0.2


def verify_erasure(
    engine: sa.Engine, connection: MilvusConnection, catalogue: Catalogue, model_id: str
) -> list[Finding]:
    """Compact every collection of a model, then look for removed faces in them. Raises NotReady."""
    found = catalogue.find()
    collections = [name for name in (found.serving, found.building, *found.left) if name is not None]
    findings = [finding for name in collections for finding in _examine(engine, connection, name, model_id)]
    if found.serving is None:
        findings.append(Finding("milvus", None, "no collection serves"))
    detail = "what is deleted goes from its object storage when its garbage collection has run, and from backups of it"
    return [*findings, Finding("files of Milvus", None, f"{detail} when those go; docs/milvus.md")]


def compact(connection: MilvusConnection, collection: str) -> None:
    """Have Milvus write its segments without what was deleted, and wait. Raises NotReady where that takes too long."""
    connection.call("flush", collection)
    job = connection.call("compact", collection)
    deadline = time.monotonic() + connection.options.timeout_seconds
    while connection.call("get_compaction_state", job) != "Completed":
        if time.monotonic() > deadline:
            raise NotReady("Milvus is still compacting; look again later")
        time.sleep(_LOOK_SECONDS)


def _examine(engine: sa.Engine, connection: MilvusConnection, collection: str, model_id: str) -> Iterator[Finding]:
    ensure_loaded(connection, collection)
    compact(connection, collection)
    total = left = 0
    for ids in _tombstones(engine, model_id):
        total += len(ids)
        left += len(connection.call("query", collection, filter=among("id", ids), output_fields=["id"]))
    yield Finding("milvus", left == 0, f"{collection} has {left} of {total} removed faces")
    yield _count(engine, connection, collection, model_id)


def _count(engine: sa.Engine, connection: MilvusConnection, collection: str, model_id: str) -> Finding:
    """Faces of dropped galleries have no rows any more that could be looked for; the numbers tell."""
    there = connection.call("query", collection, filter="id >= 0", output_fields=["count(*)"])[0]["count(*)"]
    revision = read_progress(connection, collection).revision
    live = sa.select(sa.func.count()).select_from(faces).where(faces.c.model_id == model_id)
    with database_errors(), engine.connect() as database:
        newest = database.execute(sa.select(gallery_state.c.revision)).scalar_one()
        expected = database.execute(live.where(faces.c.subject_key.is_not(None))).scalar_one()
    detail = f"{collection} has {there} faces at revision {revision}, the database {expected} at {newest}"
    return Finding("faces in Milvus", None if revision != newest else there == expected, detail)


def _tombstones(engine: sa.Engine, model_id: str) -> Iterator[list[int]]:
    removed = sa.select(faces.c.id).where(faces.c.model_id == model_id, faces.c.subject_key.is_(None))
    after = 0
    while True:
        page = removed.where(faces.c.id > after).order_by(faces.c.id).limit(_IDS_PER_QUERY)
        with database_errors(), engine.connect() as database:
            ids = list(database.execute(page).scalars())
        if not ids:
            return
        yield ids
        after = ids[-1]
