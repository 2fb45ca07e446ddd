"""Who is drawn, and what is done to photographs, to learn what quality is worth."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from models.degrade import DEGRADATIONS
from models.manifest import Photo
from models.quality import WEIGHTS, choose_people, gather


def test_people_are_drawn_with_all_their_photographs(tmp_path: Path) -> None:
    photos = [Photo(tmp_path / f"{i}", str(i // 3), "x") for i in range(30)] + [Photo(tmp_path / "lone", "lone", "x")]
    chosen = choose_people(photos, 4, seed=0)
    assert len(chosen) == 12
    assert len({photo.identity for photo in chosen}) == 4
    assert "lone" not in {photo.identity for photo in choose_people(photos, 100, seed=0)}


def test_the_same_name_in_two_sets_is_two_people(tmp_path: Path) -> None:
    photos = [Photo(tmp_path / f"{i}", "1", source) for i, source in enumerate(["x", "x", "y"])]
    assert choose_people(photos, 10, seed=0) == photos[:2]


def test_what_is_no_photograph_is_passed_over_and_others_are_turned_as_they_say(
    tmp_path: Path, astronaut: Image.Image, portrait: bytes
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    astronaut.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "phone.jpg", exif=exif)
    (tmp_path / "other.jpg").write_bytes(portrait)
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    names = ["phone.jpg", "other.jpg", "broken.jpg", "gone.jpg"]
    photos = [Photo(tmp_path / name, "ada", "x") for name in names]
    samples = gather(photos, FaceDetector(WEIGHTS), FaceEmbedder(WEIGHTS / "facenet-nn2-128.onnx"))
    assert samples.acquired["as taken"] == 0.5
    assert set(samples.photo) == {0, 1}
    assert len(set(samples.kind[samples.photo == 0])) > 4
    assert np.abs(samples.measures["roll_degrees"][samples.kind != "tilted"]).max() < 20


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_degradation_is_repeatable_and_leaves_a_picture(kind: str, astronaut: Image.Image) -> None:
    first, again = (DEGRADATIONS[kind](astronaut, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert min(first.size) >= 16
    assert kind == "as taken" or not (first.size == astronaut.size and np.array_equal(first, astronaut))
