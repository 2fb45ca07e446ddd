"""`sameface rotate-key` as an operator uses it."""

import base64
import json
import os
import sqlite3
from pathlib import Path

from tests.processes import environment, run


def test_keys_are_rotated(database: Path) -> None:
    env = environment(database)
    told = run("rotate-key", env=env)
    assert told.returncode == 3
    assert "SAMEFACE_TEMPLATE_KEYS" in told.stderr
    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    for keys in (first, f"{second},{first}"):
        told = run("rotate-key", env=env | {"SAMEFACE_TEMPLATE_KEYS": keys})
        assert told.returncode == 0, told.stderr
        assert "all templates and crops are encrypted" in told.stdout
    assert first not in told.stdout + told.stderr
    exported = [json.loads(line) for line in run("audit", "export", env=env).stdout.splitlines()]
    assert [entry["action"] for entry in exported[-2:]] == ["rotate_key", "rotate_key"]
    with sqlite3.connect(database) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM faces").fetchall()
        told = run("rotate-key", env=env | {"SAMEFACE_TEMPLATE_KEYS": second})
        assert told.returncode == 5
        assert "write-ahead log still holds it as it was while somebody reads" in told.stderr
    reader.close()
    told = run("rotate-key", env=env | {"SAMEFACE_TEMPLATE_KEYS": first})
    assert told.returncode == 3
    assert "not among the template keys" in told.stderr


def test_what_cannot_be_rotated_is_counted_and_told(database: Path) -> None:
    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    env = environment(database)
    assert run("rotate-key", env=env | {"SAMEFACE_TEMPLATE_KEYS": first}).returncode == 0
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE faces SET vector = ? WHERE vector IS NOT NULL", (b"x" * 60,))
    connection.close()
    told = run("rotate-key", "--json", env=env | {"SAMEFACE_TEMPLATE_KEYS": f"{second},{first}"})
    assert told.returncode == 1
    assert json.loads(told.stdout)["left"] == 1
    assert "was altered" in told.stderr
