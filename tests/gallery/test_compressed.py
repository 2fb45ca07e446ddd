"""Search in compressed form finds what comparing everything finds, and follows what comes and goes."""

from collections.abc import Iterator

import numpy as np
import pytest

from app.domain import Embedding
from app.gallery import blocks, compressed
from app.gallery.blocks import FaceBlock
from app.gallery.changes import Changes, FaceChange, GalleryChange
from app.gallery.compressed import CompressedRows, Quantizer
from app.gallery.faiss_index import FaissIndex
from app.gallery.rows import ExactRows
from tests.benchmarks.people import FACES_PER_SUBJECT, gallery_embeddings, probes_of

FACES = 20_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 1024)
    monkeypatch.setattr(compressed, "SEGMENT_ROWS", 4096)
    monkeypatch.setattr(compressed, "SHORTLIST", 128)


@pytest.fixture(scope="module")
def embeddings() -> Embedding:
    return gallery_embeddings(FACES)


def face_changes(embeddings: Embedding, first: int = 1) -> Iterator[FaceChange]:
    for number, vector in enumerate(embeddings, start=first):
        key = (number - 1) // FACES_PER_SUBJECT + 1
        yield FaceChange(number, 2, 1, key, f"s{key}", None, f"{number:032x}", vector.tobytes())


def exact_blocks(embeddings: Embedding) -> list[FaceBlock]:
    rows = ExactRows()
    for start in range(0, len(embeddings), 3000):
        rows = rows.appended(FaceBlock.from_changes(list(face_changes(embeddings[start : start + 3000], start + 1))))
    return list(rows.blocks)


def test_the_nearest_are_those_of_comparing_all_rows(embeddings: Embedding) -> None:
    own = exact_blocks(embeddings)
    rows, exact = CompressedRows.of(own), ExactRows(tuple(own))
    assert len(rows.segments) == FACES // 4096
    assert 0 < sum(block.count for block in rows.tail) < 4096
    probes = probes_of(embeddings, 400)
    found, expected = rows.nearest(probes, 10), exact.nearest(probes, 10)
    assert (found[:, 0] == expected[:, 0]).mean() >= 0.995
    known = np.square(embeddings[expected[:, 0]] - probes).sum(1) < 1.0
    assert known.sum() > 100
    assert (found[known, 0] == expected[known, 0]).all()


def test_who_asks_for_very_many_is_answered_exactly(embeddings: Embedding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "MAX_SHORTLIST", 1000)
    own = exact_blocks(embeddings[:6000])
    probes = probes_of(embeddings, 3)
    found = CompressedRows.of(own).nearest(probes, 2000)
    assert np.array_equal(found, ExactRows(tuple(own)).nearest(probes, 2000))


def test_codes_go_with_their_rows(embeddings: Embedding) -> None:
    rows = CompressedRows.of(exact_blocks(embeddings[:9000]))
    kept, keys = rows.without(np.arange(1, 3000, dtype=np.int64))
    assert sum(block.count for block in kept.blocks) == 9000 - 2999
    assert len(keys) == 750
    for block in kept.blocks:
        again = rows.quantizer.coded(block)
        assert np.array_equal(again.codes[: block.count], block.codes[: block.count])
    [position] = kept.nearest(embeddings[4000][None], 1)[0].tolist()
    assert kept.blocks[position // 1024].ids[position % 1024] == 4001
    [gone] = kept.nearest(embeddings[100][None], 1)[0].tolist()
    assert kept.blocks[gone // 1024].ids[gone % 1024] >= 3000


def test_a_segment_that_lost_most_of_its_rows_is_given_up(embeddings: Embedding) -> None:
    rows = CompressedRows.of(exact_blocks(embeddings[:9000]))
    assert len(rows.segments) == 2
    kept, _ = rows.without(np.arange(1, 4000, dtype=np.int64))
    assert len(kept.segments) == 1
    everything, _ = kept.without(np.arange(1, 9001, dtype=np.int64))
    assert everything.blocks == everything.segments == ()
    assert everything.nearest(embeddings[:2], 3).tolist() == [[-1] * 3] * 2


def test_a_gallery_is_compressed_when_it_grows_and_exact_again_when_it_shrinks(embeddings: Embedding) -> None:
    index = FaissIndex(embeddings.shape[1], compress_above_faces=8000)
    faces = list(face_changes(embeddings[:9000]))

    def rows() -> ExactRows | CompressedRows:
        return index._state.by_name["default"].rows

    index.apply(Changes(2, 2, [GalleryChange(1, 2, "default")], faces[:8000]))
    assert isinstance(rows(), ExactRows)
    index.apply(Changes(3, 3, [], [face._replace(revision=3) for face in faces[8000:]]))
    assert isinstance(rows(), CompressedRows)
    gone = [face._replace(revision=4, subject_key=None, subject_id=None, vector=None) for face in faces[:4500]]
    index.apply(Changes(4, 4, [], gone))
    assert isinstance(rows(), CompressedRows)
    gone = [face._replace(revision=5, subject_key=None, subject_id=None, vector=None) for face in faces[4500:5500]]
    index.apply(Changes(5, 5, [], gone))
    assert isinstance(rows(), ExactRows)
    [[nearest]] = index.search("default", embeddings[7000][None], 1)
    assert (nearest.face_id.replace("-", ""), nearest.distance) == (f"{7001:032x}", 0)
    assert index.state("default").subjects == 3500 // FACES_PER_SUBJECT


def test_a_gallery_that_is_always_compressed_learns_its_codes_from_many(embeddings: Embedding) -> None:
    index = FaissIndex(embeddings.shape[1], compress_above_faces=0)
    faces = list(face_changes(embeddings[:9000]))
    index.apply(Changes(2, 2, [GalleryChange(1, 2, "default")], faces[:1]))
    for revision, start in enumerate(range(1, 9000, 3000), start=3):
        changes = [face._replace(revision=revision) for face in faces[start : start + 3000]]
        index.apply(Changes(revision, revision, [], changes))
    rows = index._state.by_name["default"].rows
    assert isinstance(rows, CompressedRows)
    assert rows.segments
    found = index.search("default", embeddings[:9000:90], 1)
    assert [nearest.distance for [nearest] in found] == [0] * 100


@pytest.mark.parametrize("size", [2, 3, 7, 128, 512, 514, 1024])
def test_embeddings_of_any_size_are_coded(size: int, capfd: pytest.CaptureFixture[str]) -> None:
    vectors = gallery_embeddings(40, size=size)
    quantizer = Quantizer(vectors)
    block = FaceBlock.from_changes(list(face_changes(vectors)))
    packed = quantizer.packed(quantizer.coded(block).codes)
    distances, rows = packed.search(vectors, 1)
    assert distances.shape == rows.shape == (40, 1)
    assert set(rows.ravel()) <= set(range(40))
    assert capfd.readouterr() == ("", "")
