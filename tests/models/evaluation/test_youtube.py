"""YouTube Faces' protocol on a data set of the published layout, made of one portrait."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.faces.crop import CropSpec
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from models.evaluation.youtube import crops, frames, labelled_centres, measure, read_splits, report, set_distance
from models.lfw import NO_FACE_DISTANCE, WEIGHTS, Pairs
from tests.faces.conftest import card, write_embedder
from tests.models.test_photographs import SPEC

SPLITS = """split number, first name, second name, is same
1, Ann_Lee/0, Ann_Lee/2, 1, 1
1, Ann_Lee/0, Bob/1, 0, 1
2, Ann_Lee/2, Ann_Lee/0, 1, 1
2, Bob/1, Ann_Lee/2, 0, 1
"""


@pytest.fixture(scope="module")
def ytf(tmp_path_factory: pytest.TempPathFactory, two_faces: bytes, no_face: bytes) -> Path:
    root = tmp_path_factory.mktemp("ytf")
    (root / "splits.txt").write_text(SPLITS)
    small = Image.open(io.BytesIO(two_faces)).resize((450, 256))
    for video in ("Ann_Lee/0", "Ann_Lee/2", "Bob/1"):
        folder = root / "frame_images_DB" / video
        folder.mkdir(parents=True)
        for number in (2, 10):
            small.save(folder / f"0.{number}.jpg")
        (folder / "0.1.jpg").write_bytes(no_face)
    label = "Bob\\1\\0.2.jpg,0,325,90,60,60,0,0\nBob\\1\\0.10.jpg,0,110,60,60,60,0,0\n"
    (root / "frame_images_DB" / "Bob.labeled_faces.txt").write_text(label)
    return root


def test_splits_are_read_as_published(ytf: Path) -> None:
    pairs = read_splits(ytf / "splits.txt")
    assert pairs.first == ["Ann_Lee/0", "Ann_Lee/0", "Ann_Lee/2", "Bob/1"]
    assert pairs.second == ["Ann_Lee/2", "Bob/1", "Ann_Lee/0", "Ann_Lee/2"]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [1, 1, 2, 2]


def test_splits_without_a_header_are_refused_rather_than_read_one_short(tmp_path: Path) -> None:
    (tmp_path / "splits.txt").write_text(SPLITS.split("\n", 1)[1])
    with pytest.raises(ValueError, match="should begin with a header"):
        read_splits(tmp_path / "splits.txt")


def test_frames_are_in_the_order_of_their_numbers(ytf: Path) -> None:
    assert [path.name for path in frames(ytf / "frame_images_DB" / "Bob" / "1")] == ["0.1.jpg", "0.2.jpg", "0.10.jpg"]


def test_the_labelled_face_is_taken_and_frames_without_a_face_do_not_count(ytf: Path) -> None:
    video = ytf / "frame_images_DB" / "Bob" / "1"
    centres = labelled_centres(video.parent)
    assert centres == {"1/0.2.jpg": (325, 90), "1/0.10.jpg": (110, 60)}
    right, left = crops(video, centres, FaceDetector(WEIGHTS), CropSpec())
    # The same portrait twice, so the two crops are alike, but the right one was enlarged from fewer pixels.
    assert np.abs(right.astype(int) - left).mean() > 1
    by_position = list(crops(video, {}, FaceDetector(WEIGHTS), CropSpec()))
    np.testing.assert_array_equal(by_position[0], right)  # which is nearer to the middle
    assert len(list(crops(video, centres, FaceDetector(WEIGHTS), CropSpec(), limit=1))) == 1


def test_the_distance_of_two_videos_is_the_mean_over_all_pairs_of_frames() -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.normal(size=(n, 5)).astype(np.float32) for n in (4, 7))
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    every = np.mean([((a - b) ** 2).sum() for a in first for b in second])
    assert set_distance(first, second) == pytest.approx(every, abs=1e-6)
    assert set_distance(first, np.zeros((0, 0), np.float32)) == NO_FACE_DISTANCE


def test_a_video_without_a_face_stays_in_the_protocol_as_rejected() -> None:
    pairs = Pairs(["a", "a"], ["b", "c"], np.array([True, False]), np.array([1, 1]))
    unit = np.array([[1.0, 0.0]], np.float32)
    result = report(pairs, {"a": unit, "b": np.zeros((0, 0), np.float32), "c": -unit})
    assert result["failures_to_acquire"] == 1
    assert result["accuracy"] == 0.5


def test_the_whole_protocol_runs_and_a_missing_video_is_an_error(ytf: Path, tmp_path: Path) -> None:
    template = SPEC.template
    model = card(input={"crop_px": 32, "template": template})
    embedder = FaceEmbedder(write_embedder(tmp_path / "tiny.onnx", model))
    result = measure(ytf, embedder, tmp_path / "work")
    assert (result["pairs"], result["videos"], result["frames"]) == (4, 3, 6)
    assert measure(ytf, embedder, tmp_path / "work") == result  # from what was kept
    (ytf / "splits.txt").write_text(SPLITS.replace("Bob/1", "Bob/7"))
    with pytest.raises(FileNotFoundError, match="Bob/7"):
        measure(ytf, embedder, tmp_path / "work")
