"""`sameface audit` as an operator uses it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.processes import environment, run


def test_the_audit_log_is_verified_and_exported_and_tampering_is_told(database: Path) -> None:
    env = environment(database)
    told = run("audit", "verify", env=env)
    assert told.returncode == 0, told.stderr
    assert "3 entries fit" in told.stdout
    facts = json.loads(run("audit", "verify", "--json", env=env).stdout)
    assert (facts["entries"], facts["fault"]) == (3, None)
    exported = [json.loads(line) for line in run("audit", "export", env=env).stdout.splitlines()]
    assert [entry["action"] for entry in exported] == ["enroll", "enroll", "erase"]
    assert exported[-1]["hash"] in told.stdout
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("DELETE FROM audit_entries WHERE position = 2")
    told = run("audit", "verify", "--known-hash", exported[-1]["hash"], env=env)
    assert told.returncode == 1
    assert "broken at position 2" in told.stderr


def test_an_entry_that_was_written_over_is_exported_as_it_is(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE audit_entries SET entry = 'garbage', at = 'yesterday' WHERE position = 2")
    env = environment(database)
    exported = [json.loads(line) for line in run("audit", "export", env=env).stdout.splitlines()]
    assert exported[1]["unreadable"] == "garbage"
    told = run("audit", "verify", env=env)
    assert told.returncode == 1
    assert "broken at position 2" in told.stderr
