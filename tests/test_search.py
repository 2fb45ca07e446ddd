"""Batched searches against the index asked one by one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from app.domain import Embedding, NewFace
from app.errors import GalleryNotFound
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from app.search import GallerySearcher, Search

SIZE = 16


def unit_vectors(count: int, seed: int) -> Embedding:
    vectors = np.random.default_rng(seed).normal(size=(count, SIZE)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FaissIndex:
    """Galleries `a` and `b` with 30 and 20 subjects of one face, and `empty`."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('search') / 'gallery.db'}")
    migrate(engine)
    store = GalleryStore(engine, "model")
    store.create_gallery("empty")
    for seed, (gallery, count) in enumerate([("a", 30), ("b", 20)]):
        store.create_gallery(gallery)
        for number, vector in enumerate(unit_vectors(count, seed)):
            store.add(gallery, f"{gallery}-{number}", [NewFace(vector, f"{number:064x}")])
    index = FaissIndex(SIZE)
    follower = GalleryFollower(store, index)
    follower.start()
    assert follower.wait_for(store.revision(), 10)
    follower.stop()
    engine.dispose()
    return index


@contextmanager
def searcher(index: FaissIndex) -> Iterator[GallerySearcher]:
    opened = GallerySearcher(index, max_batch=16, max_queue=1000)
    try:
        yield opened
    finally:
        opened.close()


def test_searches_that_run_together_answer_as_if_they_ran_alone(index: FaissIndex) -> None:
    probes = unit_vectors(60, seed=9)
    searches = [
        Search(gallery, probes[number : number + number % 3], top_k)
        for number, (gallery, top_k) in enumerate([("a", 5), ("b", 5), ("a", 1), ("empty", 3)] * 15)
    ]

    async def scenario(work: GallerySearcher) -> list[object]:
        return list(await asyncio.gather(*(work.search(search) for search in searches)))

    with searcher(index) as work:
        found = asyncio.run(scenario(work))
    for search, result in zip(searches, found, strict=True):
        assert result.state == index.state(search.gallery)  # type: ignore[attr-defined]
        alone = index.search(search.gallery, search.probes, search.top_k)
        together = result.candidates  # type: ignore[attr-defined]
        assert [[c.subject_id for c in row] for row in together] == [[c.subject_id for c in row] for row in alone]


def test_a_search_of_an_unknown_gallery_fails_alone(index: FaissIndex) -> None:
    probes = unit_vectors(1, seed=9)

    async def scenario(work: GallerySearcher) -> list[object]:
        asked = [work.search(Search(gallery, probes, 1)) for gallery in ("a", "nowhere") * 10]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    with searcher(index) as work:
        outcomes = asyncio.run(scenario(work))
        assert work.healthy
    assert all(isinstance(outcome, GalleryNotFound) for outcome in outcomes[1::2])
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes[::2])
