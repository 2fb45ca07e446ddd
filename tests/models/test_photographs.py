"""Photographs in every form, through the service's own code."""

from pathlib import Path

import numpy as np
import pytest

from app.domain import FaceChoice
from app.faces.card import CardInput
from app.faces.choose import choose_face
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from models import prepare
from models.photographs import acquire, embed_crops, listed, recipe, unmarked
from tests.faces.conftest import card, write_embedder

SPEC = CardInput(crop_px=32, template=tuple((x * 32 / 112, y * 32 / 112) for x, y in CardInput().template)).spec


@pytest.fixture
def people(tmp_path: Path, portrait: bytes, two_faces: bytes, no_face: bytes) -> Path:
    for name, content in {"ann/1.jpg": portrait, "ann/2.jpg": two_faces, "bob/3.jpg": no_face}.items():
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / name).write_bytes(content)
    return tmp_path / "people"


def test_a_folder_for_each_person_becomes_the_services_crops_of_their_largest_faces(people: Path) -> None:
    acquired = acquire(people, recipe(people.parent / "work", SPEC))
    assert (len(acquired.crops), acquired.photographs, acquired.failures) == (2, 3, {"no_face": 1})
    assert acquired.crops.names == ["people/ann"]
    photograph = decode((people / "ann" / "2.jpg").read_bytes(), ImageLimits())
    faces = FaceDetector(prepare.WEIGHTS).detect(photograph)
    largest = choose_face(faces, FaceChoice.LARGEST, photograph)
    np.testing.assert_array_equal(acquired.crops[np.array([1])][0], crop_face(photograph, largest, SPEC))


def test_photographs_of_nobody_in_particular_are_refused_unless_that_is_said(people: Path) -> None:
    (people / "ann" / "1.jpg").rename(people / "loose.jpg")
    with pytest.raises(ValueError, match=r"1 photographs lie directly in .*loose\.jpg.*--unlabelled"):
        listed(people, labelled=True)
    assert {photo.identity for photo in listed(people, labelled=False)} == {""}
    assert len(listed(people, labelled=False)) == 3


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photographs"):
        acquire(tmp_path, recipe(tmp_path / "work", SPEC))


def test_prepared_crops_are_used_as_they_are_and_their_middle_is_embedded(tmp_path: Path, crops_folder: Path) -> None:
    embedder = FaceEmbedder(write_embedder(tmp_path / "tiny.onnx", card()))
    acquired = acquire(crops_folder, recipe(tmp_path / "work", SPEC))
    assert not (tmp_path / "work").exists()
    chosen = np.array([3, 40])
    found = embed_crops(acquired.crops, embedder.embed, acquired.crops.spec(32), chosen, batch_size=1)
    np.testing.assert_allclose(found, embedder.embed(acquired.crops[chosen][:, 20:52, 20:52]), atol=1e-6)
    bare = unmarked(write_embedder(tmp_path / "bare.onnx", None), embedder.card.input)
    np.testing.assert_array_equal(found[:1], bare(acquired.crops[chosen[:1]][:, 20:52, 20:52]))


def test_crops_of_another_geometry_than_the_network_wants_are_an_error(tmp_path: Path, crops_folder: Path) -> None:
    crops = acquire(crops_folder, recipe(tmp_path, SPEC)).crops
    for wanted in (CropSpec(), SPEC):  # too small, and another template
        with pytest.raises(ValueError, match="crops of 72 px have another geometry"):
            embed_crops(crops, lambda batch: batch, wanted)
