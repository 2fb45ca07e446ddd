"""The follower: prompt, patient with a database that is away, and never dead."""

import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.domain import Candidate
from app.errors import GalleryNotFound, NotReady
from app.gallery.changes import AuditEnd, Changes
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.index import GalleryIndex
from app.gallery.store import GalleryStore
from tests.gallery.conftest import run_sql
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, embedding, new_face

NEVER = 3600.0


@pytest.fixture(params=["faiss", "milvus"])
def index(request: pytest.FixtureRequest) -> Iterator[GalleryIndex]:
    """Each implementation."""
    milvus = request.param == "milvus"
    index = request.getfixturevalue("milvus").index() if milvus else FaissIndex(EMBEDDING_SIZE)
    yield index
    index.close()


faiss_only = pytest.mark.parametrize("index", ["faiss"], indirect=True)


@pytest.fixture
def follow(index: GalleryIndex) -> Iterator[Callable[..., GalleryFollower]]:
    """Starts followers that are stopped after the test."""
    started: list[GalleryFollower] = []

    def start(store: Any, interval_seconds: float = NEVER) -> GalleryFollower:
        started.append(GalleryFollower(store, index, interval_seconds=interval_seconds))
        started[-1].start()
        return started[-1]

    yield start
    for follower in started:
        follower.stop()


def nearest(index: GalleryIndex, seed: int) -> list[Candidate]:
    return index.search("default", embedding(seed)[None], 5)[0]


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


class BrokenStore:
    """A store whose reads fail while `error` is set."""

    reads_beside_work = False

    def __init__(self, store: GalleryStore) -> None:
        self.store = store
        self.error: Exception | None = None
        self.asked = 0

    def changes(self, after_revision: int) -> Changes:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.store.changes(after_revision)

    def continues(self, end: AuditEnd) -> bool:
        return self.store.continues(end)


def test_what_was_enrolled_is_found_after_waiting_for_its_revision(
    store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower]
) -> None:
    follower = follow(store)
    for seed in range(5):
        enrolled = store.add("default", f"s{seed}", [new_face(seed)], name=f"n{seed}")
        assert follower.wait_for(enrolled.revision, 20)
        assert (nearest(index, seed)[0].subject_id, nearest(index, seed)[0].name) == (f"s{seed}", f"n{seed}")


def test_what_was_removed_is_not_found_after_waiting_for_its_revision(
    store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower]
) -> None:
    follower = follow(store)
    store.add("default", "ada", [new_face(1), new_face(2)])
    [face] = store.add("default", "bob", [new_face(3)]).faces
    assert follower.wait_for(store.remove_subject("default", "ada").revision, 20)
    assert [candidate.subject_id for candidate in nearest(index, 1)] == ["bob"]
    assert follower.wait_for(store.remove_face("default", face.face_id), 20)
    assert nearest(index, 3) == []


def test_new_names_and_galleries_arrive_too(
    store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower]
) -> None:
    follower = follow(store)
    store.create_gallery("site-b")
    store.add("site-b", "ada", [new_face(1)], name="Ada")
    assert follower.wait_for(store.update_subject("site-b", "ada", {"name": "Ada King"}), 20)
    assert index.search("site-b", embedding(1)[None], 1)[0][0].name == "Ada King"
    assert follower.wait_for(store.drop_gallery("site-b").revision, 20)
    with pytest.raises(GalleryNotFound):
        index.state("site-b")
    assert index.sizes[0] == 1


def test_writes_of_others_are_noticed_without_being_told(
    store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower]
) -> None:
    follow(store, interval_seconds=0.02)
    revision = store.add("default", "ada", [new_face(1)]).revision
    assert until(lambda: index.revision == revision)


@pytest.mark.parametrize("beside", [True, False], ids=["read beside", "read in turn"])
def test_a_long_history_is_read_page_by_page(
    sqlite_store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower], beside: bool
) -> None:
    class ShortPages(BrokenStore):
        reads_beside_work = beside

        def changes(self, after_revision: int) -> Changes:
            return self.store.changes(after_revision, limit=3)

    for subject in range(10):
        sqlite_store.add("default", f"s{subject}", [new_face(2 * subject), new_face(2 * subject + 1)])
    assert follow(ShortPages(sqlite_store)).wait_for(11, 20)
    assert (index.state("default").subjects, index.state("default").faces) == (10, 20)
    assert until(gc.isenabled)


def test_waiting_ends_when_the_time_is_up(sqlite_store: GalleryStore, follow: Callable[..., GalleryFollower]) -> None:
    follower = follow(sqlite_store)
    started = time.monotonic()
    assert not follower.wait_for(99, 0.1)
    assert 0.1 <= time.monotonic() - started < 5


def test_waiting_ends_when_the_follower_stops(sqlite_store: GalleryStore, index: GalleryIndex) -> None:
    follower = GalleryFollower(sqlite_store, index, interval_seconds=NEVER)
    follower.start()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(follower.wait_for(99, NEVER)))
    waiting.start()
    follower.stop()
    waiting.join(20)
    assert answers == [False]


def test_a_follower_that_never_started_can_be_stopped(sqlite_store: GalleryStore, index: GalleryIndex) -> None:
    GalleryFollower(sqlite_store, index).stop()


@pytest.mark.parametrize("error", [NotReady("away"), RuntimeError("a mistake"), MemoryError()], ids=repr)
def test_no_error_ends_the_follower_and_the_index_keeps_serving(
    sqlite_store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower], error: Exception
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    broken = BrokenStore(sqlite_store)
    follower = follow(broken, interval_seconds=0.01)
    assert follower.wait_for(2, 20)
    broken.error = error
    revision = sqlite_store.add("default", "bob", [new_face(2)]).revision
    asked = broken.asked
    assert until(lambda: broken.asked > asked + 3)
    assert nearest(index, 1)[0].subject_id == "ada"
    assert type(error).__name__ in str(follower.lag.last_error)
    assert follower.lag.applied_revision == 2
    broken.error = None
    assert follower.wait_for(revision, 20)
    assert until(lambda: follower.lag.last_error is None)


@faiss_only  # Milvus has more to say
def test_a_fault_is_logged_once_and_so_is_its_end(
    sqlite_store: GalleryStore, follow: Callable[..., GalleryFollower], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    broken = BrokenStore(sqlite_store)
    broken.error = NotReady("the database cannot answer now")
    follower = follow(broken, interval_seconds=0.01)
    assert until(lambda: broken.asked > 5)
    broken.error = None
    assert follower.wait_for(1, 20)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_lag_tells_how_far_behind_the_index_is(
    sqlite_store: GalleryStore, index: GalleryIndex, follow: Callable[..., GalleryFollower]
) -> None:
    before = GalleryFollower(sqlite_store, index).lag
    assert (before.applied_revision, before.database_revision, before.seconds_since_success) == (0, 0, None)
    follower = follow(sqlite_store)
    assert follower.wait_for(sqlite_store.add("default", "ada", [new_face(1)]).revision, 20)
    assert until(lambda: follower.lag.database_revision == 2)
    lag = follower.lag
    assert (lag.applied_revision, lag.last_error) == (2, None)
    assert lag.seconds_since_success is not None
    assert 0 <= lag.seconds_since_success < 20


def test_a_database_that_is_away_is_followed_again_when_it_is_back(
    postgres: Any, migrated_postgres: str, index: GalleryIndex, follow: Callable[..., GalleryFollower]
) -> None:
    engine = open_engine(migrated_postgres)
    store = GalleryStore(engine, MODEL_ID)
    revision = store.add("default", "ada", [new_face(1)]).revision
    follower = follow(store, interval_seconds=0.02)
    assert follower.wait_for(revision, 20)
    run_sql(
        postgres.get_uri(),
        "ALTER DATABASE migrated ALLOW_CONNECTIONS false",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'migrated'",
    )
    try:
        with pytest.raises(NotReady):
            store.add("default", "bob", [new_face(2)])
        assert until(lambda: follower.lag.last_error is not None)
        assert nearest(index, 1)[0].subject_id == "ada"
    finally:
        run_sql(postgres.get_uri(), "ALTER DATABASE migrated ALLOW_CONNECTIONS true")
    assert follower.wait_for(store.add("default", "bob", [new_face(2)]).revision, 20)
    assert nearest(index, 2)[0].subject_id == "bob"
    follower.stop()
    engine.dispose()


def test_a_database_restored_from_a_backup_is_read_anew(
    sqlite_store: GalleryStore, tmp_path: Path, index: GalleryIndex, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    copy_database(tmp_path / "gallery.db", tmp_path / "backup.db")
    sqlite_store.add("default", "bob", [new_face(2)])
    follower = GalleryFollower(sqlite_store, index)
    follower._catch_up()
    assert nearest(index, 2)[0].subject_id == "bob"
    copy_database(tmp_path / "backup.db", tmp_path / "gallery.db")
    follower._catch_up()
    assert [candidate.subject_id for candidate in nearest(index, 2)] == ["ada"]
    assert "went back from revision 3 to 2" in caplog.text


def test_reaching_a_revision_needs_no_thread_and_ends_when_the_time_is_up(
    sqlite_store: GalleryStore, follow: Callable[..., GalleryFollower]
) -> None:
    follower = follow(sqlite_store)

    async def reach_all() -> list[bool]:
        revision = sqlite_store.add("default", "ada", [new_face(1)]).revision
        waiting = [follower.reach(revision, 20), *(follower.reach(revision + 99, 0.2) for _ in range(200))]
        return await asyncio.gather(*waiting)

    threads = threading.active_count()
    assert asyncio.run(reach_all()) == [True] + [False] * 200
    assert threading.active_count() < threads + 20  # a client of Milvus has some of its own
