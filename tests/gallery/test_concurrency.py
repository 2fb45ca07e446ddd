"""Many writers and several replicas at once: all converge, and nobody misses a row."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from app.gallery import tables
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.store import GalleryStore
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, new_face

WRITERS = 8
OPERATIONS = 20


@contextmanager
def replica(database_url: str) -> Iterator[tuple[FaissIndex, GalleryFollower]]:
    engine = open_engine(database_url)
    index = FaissIndex(EMBEDDING_SIZE)
    follower = GalleryFollower(GalleryStore(engine, MODEL_ID), index, interval_seconds=0.005)
    follower.start()
    yield index, follower
    follower.stop()
    engine.dispose()


def held(index: FaissIndex) -> dict[str, tuple[str | None, int]]:
    """Name and number of faces of each subject that the index holds."""
    gallery = index._state.by_name["default"]
    people: dict[str, tuple[str | None, int]] = {}
    for block in gallery.blocks:
        for subject_id, name in zip(block.subject_ids[: block.count], block.names[: block.count], strict=True):
            people[subject_id] = (name, people.get(subject_id, (None, 0))[1] + 1)
    return people


def write(store: GalleryStore, writer: int, waited: Callable[[int], bool]) -> dict[str, tuple[str | None, int]]:
    """Random enrolments, renamings and removals of one's own subjects; returns what must be left of them."""
    random_ = random.Random(writer)
    left: dict[str, tuple[str | None, int]] = {}
    for step in range(OPERATIONS):
        subject = f"w{writer}-{step}"
        faces = [new_face(10_000 * writer + 10 * step + photo) for photo in range(random_.randint(1, 3))]
        revision = store.add("default", subject, faces, name=subject).revision
        left[subject] = (subject, len(faces))
        if random_.random() < 0.3:
            other = random_.choice(sorted(left))
            revision = store.update_subject("default", other, {"name": f"new {other}"})
            left[other] = (f"new {other}", left[other][1])
        if random_.random() < 0.3:
            other = random_.choice(sorted(left))
            revision = store.remove_subject("default", other).revision
            del left[other]
        assert waited(revision)
    return left


def test_eight_writers_and_three_replicas_converge_and_miss_nothing(database_url: str) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS) as threads:
        replicas = [stack.enter_context(replica(database_url)) for _ in range(3)]
        engines = [open_engine(database_url) for _ in range(2)]
        stores = [GalleryStore(engine, MODEL_ID) for engine in engines]
        writing = [
            threads.submit(write, stores[writer % 2], writer, lambda revision: replicas[0][1].wait_for(revision, 60))
            for writer in range(WRITERS)
        ]
        expected = {subject: told for done in writing for subject, told in done.result(120).items()}
        revision = stores[0].revision()
        for index, follower in replicas:
            assert follower.wait_for(revision, 60)
            assert held(index) == expected
            assert index.revision == revision
        for engine in engines:
            engine.dispose()


def test_revisions_are_taken_without_gaps_and_seen_in_order(database_url: str) -> None:
    engine = open_engine(database_url)
    store = GalleryStore(engine, MODEL_ID)
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.extend(change.revision for change in store.changes(seen[-1] if seen else 1).faces)

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        looking = threads.submit(look)
        list(threads.map(lambda seed: store.add("default", f"s{seed}", [new_face(seed)]), range(100)))
        done.set()
        looking.result()
    seen.extend(change.revision for change in store.changes(seen[-1]).faces)
    assert seen == list(range(2, 102))
    engine.dispose()


def test_two_enrolments_of_one_photograph_at_once_store_one_face(database_url: str) -> None:
    engine = open_engine(database_url)
    store = GalleryStore(engine, MODEL_ID)
    with ThreadPoolExecutor(WRITERS) as threads:
        for seed in range(10):
            start = threading.Barrier(WRITERS)

            def enroll(_: int, seed: int = seed, start: threading.Barrier = start) -> tuple[str, bool, bool]:
                start.wait()
                enrolled = store.add("default", f"s{seed}", [new_face(seed)])
                return enrolled.faces[0].face_id, enrolled.faces[0].existed, enrolled.created

            answers = list(threads.map(enroll, range(WRITERS)))
            assert len({face_id for face_id, _, _ in answers}) == 1
            assert sorted(answer[1:] for answer in answers) == [(False, True)] + [(True, False)] * (WRITERS - 1)
    assert store.revision() == 11
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.faces)).scalar_one() == 10
    engine.dispose()
