"""The audit log: each write is in it, in order, and whatever is done to its rows is found."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import logs
from app.gallery import audit
from app.gallery.audit import AuditVerification
from app.gallery.store import GalleryStore
from app.gallery.tables import audit_entries, audit_state
from tests.gallery.faces import new_face


def verified(engine: sa.Engine, known_hash: str | None = None) -> AuditVerification:
    with engine.connect() as connection:
        return audit.verify(connection, known_hash)


def entries(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [json.loads(row.entry) for row in audit.rows(connection)]


def write(store: GalleryStore) -> None:
    """Seven writes."""
    store.create_gallery("other")
    store.add("default", "ada", [new_face(1), new_face(2)], name="Ada")
    store.update_subject("default", "ada", {"metadata": {"a": 1}})
    store.remove_face("default", store.faces("default", "ada")[0].face_id)
    store.remove_subject("default", "ada")
    store.add("other", "bob", [new_face(3)])
    store.drop_gallery("other")


def test_every_write_is_in_the_log_with_its_revision(store: GalleryStore, engine: sa.Engine) -> None:
    write(store)
    assert [(entry["action"], entry["revision"]) for entry in entries(engine)] == [
        ("create_gallery", 2),
        ("enroll", 3),
        ("update", 4),
        ("erase_face", 5),
        ("erase", 6),
        ("enroll", 7),
        ("drop_gallery", 8),
    ]
    assert verified(engine).fault is None
    assert verified(engine).entries == 7


def test_what_changes_nothing_is_not_in_the_log(store: GalleryStore, engine: sa.Engine) -> None:
    store.add("default", "ada", [new_face(1)])
    store.add("default", "ada", [new_face(1)])
    store.create_gallery("default")
    assert len(entries(engine)) == 1


def test_an_entry_says_who_asked_and_nothing_biometric(store: GalleryStore, engine: sa.Engine) -> None:
    request, key = logs.request_id.set("request-1"), logs.key_id.set("key-1")
    try:
        store.add("default", "ada", [new_face(1)], name="Ada Lovelace", metadata={"secret": 1})
    finally:
        logs.request_id.reset(request)
        logs.key_id.reset(key)
    [entry] = entries(engine)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(entry.pop("at"))) < timedelta(minutes=5)
    assert entry == {
        "action": "enroll",
        "created": True,
        "faces": 1,
        "gallery": "default",
        "key_id": "key-1",
        "request_id": "request-1",
        "revision": 2,
        "subject_id": "ada",
    }


@pytest.mark.parametrize(
    ("harm", "broken_position"),
    [
        ("UPDATE audit_entries SET entry = replace(entry, 'ada', 'eve') WHERE position = 2", 2),
        ("UPDATE audit_entries SET hash = (SELECT hash FROM audit_entries WHERE position = 1) WHERE position = 3", 3),
        ("UPDATE audit_entries SET at = '2001-01-01 00:00:00+00:00' WHERE position = 4", 4),
        ("DELETE FROM audit_entries WHERE position = 1", 1),
        ("DELETE FROM audit_entries WHERE position = 5", 5),
        ("DELETE FROM audit_entries WHERE position = 7", 7),
        ("UPDATE audit_entries SET position = 8 WHERE position = 3", 3),
        (
            "UPDATE audit_entries SET position = -position WHERE position IN (3, 4);"
            "UPDATE audit_entries SET position = 7 + position WHERE position < 0",
            3,
        ),
        ("UPDATE audit_state SET position = 8", 8),
        (
            "UPDATE audit_state SET pruned_position = 2,"
            " pruned_hash = (SELECT hash FROM audit_entries WHERE position = 2);"
            "DELETE FROM audit_entries WHERE position <= 2",
            3,
        ),
    ],
    ids=[
        "altered",
        "another hash",
        "time",
        "first gone",
        "one gone",
        "last gone",
        "moved",
        "swapped",
        "end",
        "as if pruned",
    ],
)
def test_whatever_is_done_to_the_log_is_found_at_its_first_row(
    store: GalleryStore, engine: sa.Engine, harm: str, broken_position: int
) -> None:
    write(store)
    with engine.begin() as connection:
        for statement in harm.split(";"):
            connection.exec_driver_sql(statement)
    assert verified(engine).fault is not None
    assert verified(engine).broken_position == broken_position


@pytest.mark.parametrize("garbage", ["yesterday", "", "2026-13-45 00:00:00", "12"])
def test_a_time_that_is_none_is_found_and_breaks_nothing(
    sqlite_store: GalleryStore, sqlite_engine: sa.Engine, garbage: str
) -> None:
    for seed in range(1, 4):
        sqlite_store.add("default", f"s{seed}", [new_face(seed)])
    with sqlite_engine.begin() as connection:
        connection.execute(sa.text("UPDATE audit_entries SET at = :at WHERE position = 2"), {"at": garbage})
    found = verified(sqlite_engine)
    assert (found.entries, found.broken_position) == (1, 2)
    assert "is not a time" in str(found.fault)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "no JSON",
        "[]",
        "12",
        "{}",
        '{"at":12}',
        '{"at":"yesterday"}',
        '{"at":"2026-01-01T00:00:00"}',
        '{"action":"prune_audit","at":"2026-01-01T00:00:00+00:00"}',
    ],
)
def test_an_entry_that_is_none_is_found_though_its_hash_fits(
    store: GalleryStore, engine: sa.Engine, entry: str
) -> None:
    store.add("default", "ada", [new_face(1)])
    with engine.begin() as connection:
        first = connection.execute(sa.select(audit_entries)).one()
        forged = {"position": 2, "at": first.at, "entry": entry, "hash": audit._hash(first.hash, entry)}
        connection.execute(sa.insert(audit_entries).values(forged))
        connection.execute(sa.update(audit_state).values(position=2, hash=forged["hash"]))
    found = verified(engine)
    assert (found.entries, found.broken_position) == (1, 2)
    assert found.fault is not None


def test_a_whole_new_chain_is_told_from_the_one_seen_before(store: GalleryStore, engine: sa.Engine) -> None:
    write(store)
    seen = verified(engine).last_hash
    store.add("default", "ada", [new_face(1)])
    assert verified(engine, seen).fault is None
    with engine.begin() as connection:
        forged = [entry for entry in entries(engine) if entry["action"] != "erase"]
        connection.exec_driver_sql("DELETE FROM audit_entries")
        connection.execute(sa.update(audit.audit_state).values(position=0, hash=audit.GENESIS))
        audit.append(connection, forged)
    assert verified(engine).fault is None
    assert verified(engine, seen).fault is not None


def test_pruning_leaves_a_chain_that_can_be_verified(store: GalleryStore, engine: sa.Engine) -> None:
    old = (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="milliseconds")
    store.record([{"action": "verify", "at": old, "number": number} for number in range(20)])
    write(store)
    assert store.prune_audit(timedelta(days=30)) == 20
    assert store.prune_audit(timedelta(days=30)) == 0
    after = verified(engine)
    assert (after.fault, after.first_position, after.last_position) == (None, 21, 28)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_entries WHERE position = 21")
    assert verified(engine).broken_position == 21


def test_pruning_everything_keeps_the_end_of_the_chain(store: GalleryStore, engine: sa.Engine) -> None:
    write(store)
    assert store.prune_audit(timedelta(days=-1)) == 7
    assert [entry["action"] for entry in entries(engine)] == ["prune_audit"]
    store.add("default", "ada", [new_face(1)])
    assert verified(engine).fault is None


def test_many_writers_make_one_chain(store: GalleryStore, engine: sa.Engine) -> None:
    def work(number: int) -> None:
        for step in range(5):
            store.record([audit.entry("verify", number=number, step=step)] * 3)
            store.add("default", f"s{number}-{step}", [new_face(10 * number + step)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verified(engine).entries, verified(engine).fault) == (4 * 5 * 4, None)


def test_a_write_that_fails_leaves_no_entry(store: GalleryStore, engine: sa.Engine) -> None:
    with pytest.raises(Exception, match="limit is 1"):
        store.add("default", "ada", [new_face(1), new_face(2)], max_faces=1)
    assert entries(engine) == []


def test_entries_of_prunings_alone_are_not_followed_by_another(store: GalleryStore, engine: sa.Engine) -> None:
    write(store)
    assert store.prune_audit(timedelta(days=-1)) == 7
    before = entries(engine)
    assert store.prune_audit(timedelta(days=-1)) == 0
    assert entries(engine) == before
    store.create_gallery("more")
    assert store.prune_audit(timedelta(days=-1)) == 2
    assert verified(engine).fault is None
