"""LFW's protocol: nothing is skipped silently."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.faces.crop import CropSpec
from app.faces.detect import FaceDetector
from models.data import Crops
from models.lfw import (
    NO_FACE_DISTANCE,
    WEIGHTS,
    centre_crops,
    crop_all,
    distances,
    embed_all,
    prepared,
    read_pairs,
    report,
)

LIST = "2\t1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tBob\t3\nBob\t3\t4\nBob\t4\tAnn_Lee\t2\n"


@pytest.fixture
def pair_list(tmp_path: Path) -> Path:
    (tmp_path / "pairs.txt").write_text(LIST)
    return tmp_path / "pairs.txt"


def test_a_pair_list_names_photographs_folds_and_who_is_the_same(pair_list: Path) -> None:
    pairs = read_pairs(pair_list)
    assert pairs.first == ["Ann_Lee_0001", "Ann_Lee_0001", "Bob_0003", "Bob_0004"]
    assert pairs.second == ["Ann_Lee_0002", "Bob_0003", "Bob_0004", "Ann_Lee_0002"]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]


def test_a_list_shorter_than_it_promises_is_an_error(pair_list: Path) -> None:
    pair_list.write_text(LIST.replace("Bob\t3\t4\n", ""))
    with pytest.raises(ValueError, match="promises 4 pairs and has 3"):
        read_pairs(pair_list)


def test_a_missing_photograph_is_an_error(pair_list: Path) -> None:
    with pytest.raises(FileNotFoundError):
        crop_all(pair_list.parent, ["Ann_Lee_0001"], FaceDetector(WEIGHTS), CropSpec())


def test_a_photograph_without_a_face_stays_in_the_protocol_as_rejected(pair_list: Path) -> None:
    pairs = read_pairs(pair_list)
    east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    squared_l2 = distances(pairs, {"Ann_Lee_0001": east, "Ann_Lee_0002": east, "Bob_0003": north})
    assert squared_l2.tolist() == [0, 2, NO_FACE_DISTANCE, NO_FACE_DISTANCE]
    one_fold = replace(pairs, fold=np.zeros(4, np.int64))
    result = report(one_fold, squared_l2, acquired=3)
    assert result["failures_to_acquire"] == 1
    assert result["accuracy"] == 0.75  # the same pair without a face is a false reject


def test_embeddings_keep_their_names_over_several_batches() -> None:
    crops = {f"p{i}": np.full((2, 2, 3), i, np.uint8) for i in range(7)}
    embedded = embed_all(crops, lambda batch: batch[:, 0, 0, :1].astype(np.float32), batch_size=3)
    assert {name: int(value[0]) for name, value in embedded.items()} == {f"p{i}": i for i in range(7)}


def test_prepared_crops_are_found_by_name_and_their_margin_is_cut_off(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    np.save(tmp_path / "part-00000.npy", stored)
    (tmp_path / "part-00000.tsv").write_text("lfw/Ann/Ann_0001.jpg\tAnn\tlfw\nlfw/Bob/Bob_0003.jpg\tBob\tlfw\n")
    spec = Crops(tmp_path).spec(32)
    found = prepared(Crops(tmp_path), ["Bob_0003", "Cem_0001"], spec)
    assert list(found) == ["Bob_0003"]
    np.testing.assert_array_equal(found["Bob_0003"], stored[1, 4:36, 4:36])
    with pytest.raises(ValueError, match="another geometry"):
        prepared(Crops(tmp_path), ["Bob_0003"], CropSpec().scaled(32))


def test_faces_are_found_in_lfw(lfw: Path) -> None:
    pairs = read_pairs(lfw / "pairsDevTest.txt")
    assert len(pairs.same) == 1000
    assert pairs.same.sum() == 500
    crops = crop_all(lfw / "images", pairs.names[:12], FaceDetector(WEIGHTS), CropSpec())
    assert len(crops) == 12


def test_the_centre_crop_shows_the_faces_that_the_detector_finds(lfw: Path) -> None:
    names = read_pairs(lfw / "pairsDevTest.txt").names[:8]
    found = crop_all(lfw / "images", names, FaceDetector(WEIGHTS), CropSpec())
    fixed = centre_crops(lfw / "images", names, CropSpec())
    # Alike where it matters, though no photograph's own landmarks were used; and each like its own most of all.
    alike = np.corrcoef([crops[name].ravel() for crops in (found, fixed) for name in names])[: len(names), len(names) :]
    assert np.median(np.diag(alike)) > 0.6
    assert (alike.argmax(1) == np.arange(len(names))).mean() > 0.8
