"""Search and change of the index against a loop over everything."""

import itertools
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import squared_l2
from app.errors import GalleryNotFound, SubjectNotFound
from app.gallery import blocks, compressed
from app.gallery.changes import Changes, FaceChange, GalleryChange
from app.gallery.faiss_index import FaissIndex
from app.gallery.index import GalleryIndex
from tests.gallery.faces import EMBEDDING_SIZE, KnownFace, assert_same_candidates, brute_force, embedding
from tests.gallery.milvus_server import LiteServer

DEFAULT = GalleryChange(1, 1, "default")


def face_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def enrolled(
    number: int, revision: int, *, subject: int = 1, name: str | None = None, seed: int | None = None, gallery: int = 1
) -> FaceChange:
    vector = embedding(number if seed is None else seed).tobytes()
    return FaceChange(number, revision, gallery, subject, f"s{subject}", name, face_id(number), vector)


def removed(number: int, revision: int, gallery: int = 1) -> FaceChange:
    return FaceChange(number, revision, gallery, None, None, None, face_id(number), None)


def changes(revision: int, faces: Sequence[FaceChange] = (), galleries: Sequence[GalleryChange] = ()) -> Changes:
    return Changes(revision, revision, galleries, faces)


def known(faces: Sequence[FaceChange]) -> list[KnownFace]:
    return [
        KnownFace(face.face_id, str(face.subject_id), face.name, np.frombuffer(face.vector or b"", np.float32))
        for face in faces
    ]


def feed(index: GalleryIndex, given: Changes, *, anew: bool = False) -> None:
    index.sinks()[0].apply(given, anew=anew)


class Kind(NamedTuple):
    """An implementation, and the rows of a block where it has blocks: so few that some faces fill many, or as ever."""

    name: str
    block_rows: int = 16_384


EACH = [Kind("exact"), Kind("compressed"), Kind("milvus")]
EACH_WITH_BLOCKS = [*(Kind(name, rows) for name in ("exact", "compressed") for rows in (2, 7, 16_384)), Kind("milvus")]
NAMES = [f"{kind.name}-{kind.block_rows}" for kind in EACH_WITH_BLOCKS]
whatever_the_blocks = pytest.mark.parametrize("index", EACH_WITH_BLOCKS, ids=NAMES, indirect=True)


def opened(kind: Kind, request: pytest.FixtureRequest, embedding_size: int = EMBEDDING_SIZE) -> GalleryIndex:
    if kind.name == "milvus":
        server: LiteServer = request.getfixturevalue("milvus")
        return server.index(embedding_size)
    return FaissIndex(embedding_size, compress_above_faces={"exact": None, "compressed": 8}[kind.name])


@pytest.fixture(params=EACH, ids=lambda kind: kind.name)
def index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[GalleryIndex]:
    """Each implementation; segments so small that a few faces fill some."""
    monkeypatch.setattr(compressed, "SEGMENT_ROWS", 8)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", request.param.block_rows)
    index = opened(request.param, request)
    feed(index, changes(1, galleries=[DEFAULT]))
    yield index
    index.close()


def test_a_gallery_is_unknown_until_the_database_tells_of_it() -> None:
    index = FaissIndex(EMBEDDING_SIZE)
    for ask in (lambda: index.state("default"), lambda: index.search("default", embedding(1)[None], 5)):
        with pytest.raises(GalleryNotFound):
            ask()
    assert index.revision == 0


def test_an_empty_gallery_finds_nobody(index: GalleryIndex) -> None:
    assert index.search("default", embedding(1)[None], 5) == [[]]
    state = index.state("default")
    assert (state.name, state.revision, state.subjects, state.faces) == ("default", 1, 0, 0)


def test_no_probe_has_no_answer(index: GalleryIndex) -> None:
    assert index.search("default", np.zeros((0, EMBEDDING_SIZE), np.float32), 5) == []


@whatever_the_blocks
def test_candidates_are_ranked_subjects_with_the_distance_that_verify_gives(index: GalleryIndex) -> None:
    faces = [enrolled(number, 2, subject=number % 13, name=f"n{number % 13}") for number in range(1, 60)]
    feed(index, changes(2, faces))
    probes = np.stack([embedding(1000 + seed) for seed in range(25)])
    for probe, found in zip(probes, index.search("default", probes, 5), strict=True):
        assert_same_candidates(found, brute_force(known(faces), probe, 5))
        best = next(face for face in known(faces) if face.face_id == found[0].face_id)
        assert found[0].distance == squared_l2(probe, best.vector)


@whatever_the_blocks
def test_many_faces_of_one_subject_do_not_crowd_out_the_others(index: GalleryIndex) -> None:
    probe = embedding(0)
    crowd = [enrolled(number, 2, subject=1, seed=0) for number in range(1, 101)]
    others = [enrolled(number, 2, subject=number) for number in range(200, 207)]
    feed(index, changes(2, [*crowd, *others]))
    [found] = index.search("default", probe[None], 5)
    assert [candidate.subject_id for candidate in found] == [
        candidate.subject_id for candidate in brute_force(known([crowd[0], *others]), probe, 5)
    ]
    assert (found[0].subject_id, found[0].distance) == ("s1", 0)


@whatever_the_blocks
def test_the_nearest_face_of_one_subject_is_that_of_a_loop_over_them(index: GalleryIndex) -> None:
    faces = [enrolled(number, 2, subject=number % 13, name=f"n{number % 13}") for number in range(1, 60)]
    feed(index, changes(2, faces))
    for seed in range(25):
        probe, subject_id = embedding(1000 + seed), f"s{seed % 13}"
        own = [face for face in known(faces) if face.subject_id == subject_id]
        [expected] = brute_force(own, probe, 1)
        assert_same_candidates([index.nearest_of("default", subject_id, probe)], [expected])


def test_a_subject_without_a_face_is_not_found(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2, subject=1), enrolled(2, 2, subject=2)]))
    feed(index, changes(3, [removed(2, 3)]))
    for subject_id in ("s2", "s3", "", "s"):
        with pytest.raises(SubjectNotFound):
            index.nearest_of("default", subject_id, embedding(1))
    with pytest.raises(GalleryNotFound):
        index.nearest_of("nowhere", "s1", embedding(1))


def test_asking_for_more_than_there_is_gives_all(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2, subject=1), enrolled(2, 2, subject=2), enrolled(3, 2, subject=2)]))
    [found] = index.search("default", embedding(9)[None], 100)
    assert sorted(candidate.subject_id for candidate in found) == ["s1", "s2"]


def test_a_removed_face_is_not_found(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2, subject=1), enrolled(2, 2, subject=2)]))
    feed(index, changes(3, [removed(1, 3)]))
    [found] = index.search("default", embedding(1)[None], 5)
    assert [candidate.subject_id for candidate in found] == ["s2"]
    assert (index.state("default").subjects, index.state("default").faces) == (1, 1)


def test_a_new_name_is_what_candidates_carry(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2, name="Ada")]))
    feed(index, changes(3, [enrolled(1, 3, name="Ada King, Countess of Lovelace")]))
    [[found]] = index.search("default", embedding(1)[None], 5)
    assert (found.name, index.state("default").faces) == ("Ada King, Countess of Lovelace", 1)


def test_names_and_ids_of_any_length_and_script_come_back(index: GalleryIndex) -> None:
    texts = ["", "a", "x" * 256, "日本語の名前", "😀" * 128, "Ünï"]
    faces = [enrolled(n, 2, subject=n)._replace(subject_id=text or "s", name=text) for n, text in enumerate(texts, 1)]
    feed(index, changes(2, [*faces, enrolled(99, 2, subject=99, name=None)]))
    for number, text in enumerate(texts, 1):
        [[found]] = index.search("default", embedding(number)[None], 1)
        assert (found.subject_id, found.name, found.face_id) == (text or "s", text, face_id(number))
    assert index.search("default", embedding(99)[None], 1)[0][0].name is None


def test_repeating_or_overlapping_changes_does_no_harm(index: GalleryIndex) -> None:
    first = changes(3, [enrolled(1, 2, subject=1), enrolled(2, 3, subject=2)])
    feed(index, first)
    feed(index, first)
    feed(index, changes(4, [removed(1, 4)]))
    feed(index, first)
    feed(index, changes(5, [enrolled(2, 3, subject=2), enrolled(3, 5, subject=3)]))
    [found] = index.search("default", embedding(1)[None], 5)
    assert sorted(candidate.subject_id for candidate in found) == ["s2", "s3"]
    assert (index.revision, index.state("default").faces) == (5, 2)


def test_a_dropped_gallery_is_unknown_and_made_again_it_is_empty(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2)]))
    feed(index, changes(3, galleries=[GalleryChange(1, 3, None)]))
    with pytest.raises(GalleryNotFound):
        index.state("default")
    feed(index, changes(4, galleries=[GalleryChange(2, 4, "default")]))
    assert index.search("default", embedding(1)[None], 5) == [[]]


def test_a_gallery_dropped_and_made_again_in_one_batch_is_the_new_one(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2)]))
    events = [GalleryChange(1, 3, None), GalleryChange(2, 4, "default")]
    feed(index, changes(5, [enrolled(2, 5, subject=2, gallery=2)], events))
    [found] = index.search("default", embedding(1)[None], 5)
    assert [candidate.subject_id for candidate in found] == ["s2"]


def test_faces_of_a_gallery_that_is_already_gone_are_passed_over(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2, gallery=7), enrolled(2, 2)]))
    assert (index.revision, index.state("default").faces) == (2, 1)


def test_galleries_do_not_find_each_others_faces(index: GalleryIndex) -> None:
    feed(index, changes(2, [enrolled(1, 2), enrolled(2, 2, gallery=2)], [GalleryChange(2, 2, "other")]))
    assert index.search("default", embedding(2)[None], 5)[0][0].face_id == face_id(1)
    assert index.search("other", embedding(1)[None], 5)[0][0].face_id == face_id(2)


def test_a_damaged_vector_is_left_out_and_does_not_stop_the_others(
    index: GalleryIndex, caplog: pytest.LogCaptureFixture
) -> None:
    feed(index, changes(2, [enrolled(1, 2)._replace(vector=b"abc"), enrolled(2, 2, subject=2)]))
    assert [candidate.subject_id for candidate in index.search("default", embedding(1)[None], 5)[0]] == ["s2"]
    assert "vector of 3 bytes" in caplog.text


def test_starting_anew_forgets_everything_from_before(index: GalleryIndex) -> None:
    feed(index, changes(9, [enrolled(1, 9)]))
    feed(index, changes(2, [enrolled(2, 2, subject=2)], [DEFAULT]), anew=True)
    assert [candidate.subject_id for candidate in index.search("default", embedding(1)[None], 5)[0]] == ["s2"]
    assert index.revision == 2


@pytest.mark.parametrize(
    ("probes", "top_k"),
    [
        (np.zeros((1, EMBEDDING_SIZE - 1), np.float32), 5),
        (np.zeros(EMBEDDING_SIZE, np.float32), 5),
        (np.full((1, EMBEDDING_SIZE), np.nan, np.float32), 5),
        (np.zeros((1, EMBEDDING_SIZE), np.float32), 0),
    ],
    ids=["too short", "one axis", "not a number", "no candidates"],
)
def test_a_probe_that_makes_no_sense_is_refused(index: GalleryIndex, probes: np.ndarray, top_k: int) -> None:
    with pytest.raises(ValueError, match="probe"):
        index.search("default", probes, top_k)


SIZE = 4
Operation = tuple[str, int, int]
operations = st.lists(
    st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(1, 30), st.integers(1, 6)), max_size=12),
    max_size=12,
)


def batches_of(batches: list[list[Operation]]) -> Iterator[list[FaceChange]]:
    """Changes of faces that may come, move to another subject, go and come back, each id once a batch."""
    for revision, batch in enumerate(batches, start=2):
        latest: dict[int, FaceChange] = {}
        for what, number, subject in batch:
            change = enrolled(number, revision, subject=subject, name=f"n{revision}")
            change = change._replace(vector=embedding(number * 100 + revision, SIZE).tobytes())
            latest[number] = change if what == "add" else removed(number, revision)
        yield list(latest.values())


@pytest.mark.parametrize("kind", EACH_WITH_BLOCKS, ids=NAMES)
def test_any_sequence_of_changes_leaves_what_a_plain_dict_holds(
    kind: Kind, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", {2: 2, 7: 5}.get(kind.block_rows, kind.block_rows))
    monkeypatch.setattr(compressed, "SEGMENT_ROWS", 6)

    def check(batches: list[list[Operation]]) -> None:
        index = opened(kind, request, SIZE)
        compare_after_each(index, batches)
        index.close()
        if kind.name == "exact":
            filled = [block.count for gallery in index._state.by_id.values() for block in gallery.blocks]  # type: ignore[attr-defined]
            assert all(one + other > blocks.BLOCK_ROWS for one, other in itertools.pairwise(filled))

    examples = 4 if kind.name == "milvus" else 60
    settings(max_examples=examples, deadline=None)(given(batches=operations)(check))()


def compare_after_each(index: GalleryIndex, batches: list[list[Operation]]) -> None:
    plain = dict[int, FaceChange]()
    feed(index, changes(1, galleries=[DEFAULT]))
    probe = embedding(7, SIZE)
    for revision, batch in enumerate(batches_of(batches), start=2):
        feed(index, changes(revision, batch))
        plain = {**plain, **{change.id: change for change in batch}}
        live = known([change for change in plain.values() if change.vector is not None])
        [found] = index.search("default", probe[None], 4)
        assert_same_candidates(found, brute_force(live, probe, 4))
        state = index.state("default")
        assert (state.revision, state.faces) == (revision, len(live))
        assert state.subjects == len({face.subject_id for face in live})


@pytest.mark.parametrize("index", EACH[:2], ids=lambda kind: kind.name, indirect=True)
def test_searches_see_all_of_a_batch_or_none_of_it(index: GalleryIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch moves every face to another subject, so that a mixture would show two subjects. Milvus shows some."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    numbers, seen, stop = range(1, 300), set[frozenset[str]](), threading.Event()
    feed(index, changes(2, [enrolled(number, 2, subject=1) for number in numbers]))

    def look() -> None:
        while not stop.is_set():
            [found] = index.search("default", embedding(5)[None], 10)
            seen.add(frozenset(candidate.subject_id for candidate in found))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    sys.setswitchinterval(1e-5)
    try:
        for looker in lookers:
            looker.start()
        deadline = time.monotonic() + 2
        revision = 3
        while time.monotonic() < deadline:
            batch = [enrolled(number, revision, subject=revision % 5) for number in numbers]
            feed(index, changes(revision, batch))
            revision += 1
    finally:
        stop.set()
        for looker in lookers:
            looker.join()
        sys.setswitchinterval(0.005)
    assert revision > 20
    assert {len(subjects) for subjects in seen} == {1}
    assert len(seen) == 5
