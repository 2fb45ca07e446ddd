"""What is particular to the index on Milvus: it may be away, and its answers are limited in number."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.errors import NotReady
from app.gallery.follower import GalleryFollower
from app.gallery.milvus import index as index_module
from app.gallery.milvus.index import MilvusIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import EMBEDDING_SIZE, KnownFace, assert_same_candidates, brute_force, embedding, new_face
from tests.gallery.milvus_server import LiteServer, skip_without_milvus

PROMPTLY_SECONDS = 1.0  # how long a search may take that is refused


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LiteServer]:
    """A Milvus that a test may stop."""
    skip_without_milvus()
    server = LiteServer(tmp_path / "milvus")
    yield server
    server.stop()


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def found(index: MilvusIndex, photo: int) -> list[str]:
    return [candidate.subject_id for candidate in index.search("default", embedding(photo)[None], 1)[0]]


def test_while_milvus_is_away_searches_are_refused_at_once_and_nothing_is_lost(
    sqlite_store: GalleryStore, own_server: LiteServer
) -> None:
    index = own_server.index(timeout_seconds=3.0)
    follower = GalleryFollower(sqlite_store, index, interval_seconds=0.05)
    follower.start()
    try:
        assert follower.wait_for(sqlite_store.add("default", "ada", [new_face(1)]).revision, 60)
        own_server.stop()
        with pytest.raises(NotReady):
            index.search("default", embedding(1)[None], 1)
        refused_from = time.monotonic()
        for ask in (lambda: found(index, 1), lambda: index.state("default")):
            with pytest.raises(NotReady):
                ask()
        assert time.monotonic() - refused_from < PROMPTLY_SECONDS
        revision = sqlite_store.add("default", "bob", [new_face(2)]).revision
        sqlite_store.remove_subject("default", "ada")
        assert until(lambda: follower.lag.last_error is not None)
        waited_from = time.monotonic()
        assert not follower.wait_for(revision, 60)
        assert time.monotonic() - waited_from < PROMPTLY_SECONDS
        assert index.facts["available"] == 0
        own_server.start()
        assert until(lambda: index.away is None and index.revision == sqlite_store.revision())
        assert (found(index, 2), found(index, 1)) == (["bob"], ["bob"])
        assert (index.state("default").faces, index.facts["available"]) == (1, 1)
    finally:
        follower.stop()
        index.close()


def test_a_process_can_start_while_milvus_is_away(sqlite_store: GalleryStore, own_server: LiteServer) -> None:
    own_server.stop()
    index = own_server.index(timeout_seconds=1.0)
    follower = GalleryFollower(sqlite_store, index, interval_seconds=0.05)
    follower.start()
    try:
        assert not follower.wait_for(1, 60)
        assert index.away is not None
        with pytest.raises(NotReady):
            found(index, 1)
        own_server.start()
        assert until(lambda: index.revision == 1)
        assert found(index, 1) == []
    finally:
        follower.stop()
        index.close()


def test_before_anything_is_built_nobody_can_be_searched_for(own_server: LiteServer) -> None:
    index = own_server.index()
    with pytest.raises(NotReady, match="being built"):
        index.search("default", np.zeros((1, EMBEDDING_SIZE), np.float32), 1)
    assert (index.revision, index.sizes) == (0, (0, 0, 0))
    index.close()


def test_subjects_behind_more_faces_than_milvus_answers_are_found_too(
    sqlite_store: GalleryStore, milvus: LiteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "MAX_ROWS", 20)
    crowd = sqlite_store.add("default", "ada", [new_face(seed) for seed in range(40)])
    others = {f"s{seed}": sqlite_store.add("default", f"s{seed}", [new_face(seed)]) for seed in range(100, 104)}
    index = milvus.index()
    GalleryFollower(sqlite_store, index)._catch_up()
    faces = [KnownFace(face.face_id, "ada", None, embedding(seed)) for seed, face in enumerate(crowd.faces)]
    faces += [
        KnownFace(enrolled.faces[0].face_id, name, None, embedding(int(name[1:]))) for name, enrolled in others.items()
    ]
    for probe in (embedding(0), embedding(100)):
        [candidates] = index.search("default", probe[None], 5)
        assert_same_candidates(candidates, brute_force(faces, probe, 5))
    index.close()


def test_many_probes_are_searched_for_together(sqlite_store: GalleryStore, milvus: LiteServer) -> None:
    for seed in range(20):
        sqlite_store.add("default", f"s{seed}", [new_face(seed)])
    index = milvus.index()
    GalleryFollower(sqlite_store, index)._catch_up()
    rows = index.search("default", np.stack([embedding(seed) for seed in range(20)]), 1)
    assert [[candidate.subject_id for candidate in row] for row in rows] == [[f"s{seed}"] for seed in range(20)]
    index.close()


@pytest.mark.parametrize("index_type", ["IVF_FLAT", "HNSW"])
def test_other_kinds_of_index_serve_too(sqlite_store: GalleryStore, milvus: LiteServer, index_type: str) -> None:
    for seed in range(30):
        sqlite_store.add("default", f"s{seed}", [new_face(seed)])
    index = milvus.index(index_type=index_type, consistency="Bounded")
    GalleryFollower(sqlite_store, index)._catch_up()
    assert [found(index, seed) for seed in range(30)] == [[f"s{seed}"] for seed in range(30)]
    index.close()
