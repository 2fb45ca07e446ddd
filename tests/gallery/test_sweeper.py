"""Subjects whose time is over are erased once, by whichever replica comes first, and nobody else is."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.domain import ErasedSubject
from app.gallery import audit
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.store import GalleryStore
from app.gallery.sweeper import Sweeper
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, embedding, new_face

HOUR = timedelta(hours=1)


def enroll(store: GalleryStore, subject_id: str, seed: int, expires_in: timedelta | None) -> None:
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
    store.add("default", subject_id, [new_face(seed)], expires_at=expires_at)


def test_only_those_whose_time_is_over_go(store: GalleryStore) -> None:
    for seed, (subject_id, expires_in) in enumerate([("over", -HOUR), ("later", HOUR), ("never", None)]):
        enroll(store, subject_id, seed, expires_in)
    revision = store.erase_expired()
    assert revision == store.revision()
    assert [subject.subject_id for subject in store.subjects("default")] == ["later", "never"]
    assert store.erase_expired() is None
    assert store.revision() == revision


def test_a_time_that_was_put_off_counts(store: GalleryStore) -> None:
    soon = timedelta(seconds=2)
    enroll(store, "ada", 1, soon)
    store.update_subject("default", "ada", {"expires_at": datetime.now(UTC) + HOUR})
    time.sleep(soon.total_seconds())
    assert store.erase_expired() is None


@pytest.mark.parametrize("expires_in", [None, HOUR])
def test_who_is_enrolled_anew_after_the_end_is_a_new_subject(
    store: GalleryStore, engine: sa.Engine, expires_in: timedelta | None
) -> None:
    enroll(store, "ada", 1, -HOUR)
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
    enrolled = store.add("default", "ada", [new_face(2)], name="Ada", expires_at=expires_at)
    assert (enrolled.created, len(enrolled.faces)) == (True, 1)
    assert store.erase_expired() is None
    subject = store.subject("default", "ada")
    assert (subject.faces, subject.name, subject.expires_at) == (1, "Ada", expires_at)
    with engine.connect() as connection:
        actions = [json.loads(row.entry)["action"] for row in audit.rows(connection)]
    assert actions == ["enroll", "expire", "enroll"]


def test_an_expired_face_is_not_found_any_more(store: GalleryStore) -> None:
    index = FaissIndex(EMBEDDING_SIZE)
    follower = GalleryFollower(store, index, interval_seconds=60)
    follower.start()
    enroll(store, "ada", 1, -HOUR)
    assert follower.wait_for(store.revision(), 60)
    assert index.search("default", embedding(1)[None], 1)[0]
    sweeper = Sweeper(store, follower.wake, interval_seconds=60)
    sweeper.start()
    assert follower.wait_for(3, 60)
    assert index.search("default", embedding(1)[None], 1) == [[]]
    sweeper.stop()
    follower.stop()


def test_replicas_that_sweep_together_erase_each_subject_once(engine: sa.Engine) -> None:
    store = GalleryStore(engine, MODEL_ID)
    for seed in range(12):
        enroll(store, f"s{seed}", seed, -HOUR)
    replicas = [GalleryStore(engine, MODEL_ID) for _ in range(3)]

    def sweep(replica: GalleryStore) -> None:
        while replica.erase_expired(limit=2) is not None:
            pass

    threads = [threading.Thread(target=sweep, args=(replica,)) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.subjects("default") == []
    with engine.connect() as connection:
        expired = [row.entry for row in audit.rows(connection) if '"action":"expire"' in row.entry]
    assert len(expired) == 12


def test_the_sweeper_outlives_a_database_that_is_away(sqlite_store: GalleryStore, sqlite_engine: sa.Engine) -> None:
    fails = threading.Event()
    swept = threading.Event()

    class Flaky(GalleryStore):
        def erase_expired(self, limit: int = 100) -> int | None:
            if not fails.is_set():
                fails.set()
                raise RuntimeError("away")
            return super().erase_expired(limit)

    enroll(sqlite_store, "ada", 1, -HOUR)
    flaky = Flaky(sqlite_engine, MODEL_ID)
    sweeper = Sweeper(flaky, swept.set, interval_seconds=0.01)
    sweeper.start()
    assert swept.wait(60)
    sweeper.stop()
    assert sqlite_store.subjects("default") == []


def test_what_a_reader_kept_in_the_log_is_swept_later(sqlite_store: GalleryStore, sqlite_url: str) -> None:
    sqlite_store.add("default", "ada", [new_face(1)], name="Ada Lovelace")
    log = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    reader = open_engine(sqlite_url, lock_timeout_seconds=0.1)
    impatient = GalleryStore(reader, MODEL_ID)
    with reader.begin() as reading:
        reading.exec_driver_sql("SELECT * FROM subjects").all()
        impatient.remove_subject("default", "ada")
        assert b"Ada Lovelace" in log.read_bytes()
    Sweeper(impatient, lambda: None, interval_seconds=60).sweep()
    assert log.read_bytes() == b""
    reader.dispose()


def test_a_long_reader_keeps_nobody_from_writing_while_the_log_is_to_be_emptied(
    sqlite_store: GalleryStore, sqlite_url: str
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    reader = open_engine(sqlite_url)
    with reader.begin() as reading:
        reading.exec_driver_sql("SELECT * FROM subjects").all()
        begun = time.monotonic()
        sqlite_store.remove_subject("default", "ada")
        sqlite_store.add("default", "bob", [new_face(2)])
        took = time.monotonic() - begun
    assert took < 2.5  # SQLite waits five seconds for a reader otherwise, and holds the lock of writers meanwhile
    assert sqlite_store.purge()
    reader.dispose()


def test_what_a_process_left_in_the_log_that_was_killed_is_swept_by_the_next(
    sqlite_store: GalleryStore, sqlite_engine: sa.Engine, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)], name="Ada Lovelace")
    with monkeypatch.context() as killed:
        killed.setattr(GalleryStore, "purge", lambda store: False)
        sqlite_store.remove_subject("default", "ada")
    log = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    assert b"Ada Lovelace" in log.read_bytes()
    Sweeper(GalleryStore(sqlite_engine, MODEL_ID), lambda: None, interval_seconds=60).sweep()
    assert log.read_bytes() == b""


def test_old_entries_of_the_audit_log_are_pruned(store: GalleryStore, engine: sa.Engine) -> None:
    old = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="milliseconds")
    store.record([{"action": "verify", "at": old}])
    assert isinstance(
        store.remove_subject("default", store.add("default", "a", [new_face(1)]).subject_id), ErasedSubject
    )
    Sweeper(store, lambda: None, interval_seconds=60, audit_retention=timedelta(days=1)).sweep()
    with engine.connect() as connection:
        assert audit.verify(connection).first_position == 2
