"""`sameface audit`, `verify-erasure` and `rotate-key` as an operator uses them."""

import base64
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face
from tests.processes import environment, run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one subject, after another was erased at revision 4."""
    path = tmp_path / "sameface.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    store = GalleryStore(engine, MODEL_ID)
    store.add("default", "ada", [new_face(1)], name="Ada Lovelace")
    store.add("default", "bob", [new_face(2)], name="Bob Hopkinson")
    assert store.remove_subject("default", "ada").revision == 4
    engine.dispose()
    return path


def test_the_audit_log_is_verified_and_exported_and_tampering_is_told(database: Path) -> None:
    env = environment(database)
    told = run("audit", "verify", env=env)
    assert told.returncode == 0, told.stderr
    assert "3 entries fit" in told.stdout
    exported = [json.loads(line) for line in run("audit", "export", env=env).stdout.splitlines()]
    assert [entry["action"] for entry in exported] == ["enroll", "enroll", "erase"]
    assert exported[-1]["hash"] in told.stdout
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("DELETE FROM audit_entries WHERE position = 2")
    told = run("audit", "verify", "--known-hash", exported[-1]["hash"], env=env)
    assert told.returncode == 1
    assert "broken at position 2" in told.stderr


def test_an_erasure_is_proven_and_what_is_still_there_is_found(database: Path) -> None:
    env = environment(database)
    told = run("verify-erasure", "--revision", "4", "--text", "Ada Lovelace", env=env)
    assert told.returncode == 0, told.stdout + told.stderr
    vector = database.with_name("vector")
    vector.write_bytes(new_face(2).embedding.tobytes())
    told = run("verify-erasure", "--file", str(vector), env=env)
    assert told.returncode == 1
    assert "32 of 32 pieces found, in sameface.db" in told.stdout


def test_keys_are_rotated(database: Path) -> None:
    env = environment(database)
    told = run("rotate-key", env=env)
    assert told.returncode == 3
    assert "SAMEFACE_TEMPLATE_KEYS" in told.stderr
    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    for keys in (first, f"{second},{first}"):
        told = run("rotate-key", env=env | {"SAMEFACE_TEMPLATE_KEYS": keys})
        assert told.returncode == 0, told.stderr
        assert "all templates are encrypted" in told.stdout
    assert first not in told.stdout + told.stderr
    exported = [json.loads(line) for line in run("audit", "export", env=env).stdout.splitlines()]
    assert [entry["action"] for entry in exported[-2:]] == ["rotate_key", "rotate_key"]
    told = run("rotate-key", env=env | {"SAMEFACE_TEMPLATE_KEYS": first})
    assert told.returncode == 3
    assert "not among the template keys" in told.stderr
