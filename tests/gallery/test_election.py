"""One of several is elected, and the next one when it is gone."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.gallery.election import AdvisoryLock, FileLock, open_election
from app.gallery.engine import open_engine
from tests.gallery.conftest import run_sql

HOLD_UNTIL_KILLED = """
import sys, time
from app.gallery.election import open_election
from app.gallery.engine import open_engine
election = open_election(open_engine(sys.argv[1]), "index")
print(election.stand(), flush=True)
time.sleep(600)
"""


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_one_is_elected_and_the_next_one_when_it_steps_down(engine: sa.Engine) -> None:
    first, second = open_election(engine, "index"), open_election(engine, "index")
    assert (first.stand(), second.stand()) == (True, False)
    assert (first.stand(), first.holds(), second.holds()) == (True, True, False)
    first.close()
    assert (first.holds(), second.stand(), second.holds()) == (False, True, True)
    second.close()


def test_elections_of_other_names_have_nothing_to_do_with_it(engine: sa.Engine) -> None:
    one, other = open_election(engine, "one"), open_election(engine, "other")
    assert (one.stand(), other.stand()) == (True, True)
    one.close()
    other.close()


def test_when_the_elected_process_is_killed_another_one_is_elected(database_url: str) -> None:
    command = [sys.executable, "-c", HOLD_UNTIL_KILLED, database_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    engine = open_engine(database_url)
    election = open_election(engine, "index")
    assert not election.stand()
    process.kill()
    process.wait()
    process.stdout.close()
    assert until(election.stand)
    election.close()
    engine.dispose()


def test_who_lost_the_session_is_no_longer_elected_until_it_stands_again(postgres: Any, migrated_postgres: str) -> None:
    engine = open_engine(migrated_postgres)
    first, second = AdvisoryLock(engine, "index"), AdvisoryLock(engine, "index")
    assert first.stand()
    run_sql(postgres.get_uri(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert until(second.stand)
    assert not first.holds()
    assert not first.stand()
    second.close()
    assert until(first.stand)
    first.close()
    engine.dispose()


def test_while_postgresql_is_away_nobody_is_elected() -> None:
    engine = open_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    election = AdvisoryLock(engine, "index")
    assert (election.stand(), election.holds()) == (False, False)
    election.close()


def test_a_file_lock_leaves_its_file(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "index.lock")
    assert lock.stand()
    lock.close()
    assert (tmp_path / "index.lock").exists()


@pytest.mark.parametrize("lock", ["first", "second"])
def test_stepping_down_twice_does_no_harm(tmp_path: Path, lock: str) -> None:
    election = FileLock(tmp_path / lock)
    election.stand()
    election.close()
    election.close()
    assert not election.holds()
