"""Photographs to crops, with the service's own code."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain import FaceChoice
from app.faces.choose import choose_face
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from models import prepare
from models.data import Crops
from models.manifest import Photo

SPEC = CropSpec().widened(8)


@pytest.fixture
def photos(tmp_path: Path, portrait: bytes, portrait_again: bytes, no_face: bytes) -> list[Photo]:
    contents = {"ann/1.jpg": portrait, "ann/2.jpg": portrait_again, "bob/3.jpg": no_face, "bob/4.jpg": b"broken"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return [Photo(tmp_path / name, name.split("/")[0], "mine") for name in contents]


def test_crops_are_those_of_the_service_and_failures_are_counted(photos: list[Photo], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert prepare.make_part((0, photos), prepare.Recipe(tmp_path / "out", SPEC)) == 4
    crops = Crops(tmp_path / "out")
    photograph = decode(photos[0].path.read_bytes(), ImageLimits())
    face = choose_face(FaceDetector(prepare.WEIGHTS).detect(photograph), FaceChoice.CENTRAL, photograph)
    np.testing.assert_array_equal(crops[np.array([0])][0], crop_face(photograph, face, SPEC))
    assert len(crops) == 2
    assert crops.names == ["mine/ann"]
    failed = (tmp_path / "out" / "part-00000.failed").read_text()
    assert failed.count("no_face") == failed.count("unsupported_format") == 1


def test_an_interrupted_run_goes_on_and_ends_as_an_uninterrupted_one(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PART_SIZE", 2)
    recipe = prepare.Recipe(tmp_path / "out", SPEC)
    recipe.out.mkdir()
    marker = np.zeros((0, SPEC.crop_px, SPEC.crop_px, 3), np.uint8)
    np.save(recipe.out / "part-00000.npy", marker)  # made already: must be left as it is
    (recipe.out / "part-00000.tsv").touch()
    (recipe.out / "part-00000.failed").touch()
    assert prepare.prepare(photos, recipe, processes=1) == (2, 2)
    assert len(np.load(recipe.out / "part-00000.npy")) == 0
    assert (recipe.out / "failures.tsv").read_text().count("\n") == 2


def test_what_is_lost_of_a_run_is_made_again_alike(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PART_SIZE", 1)
    recipe = prepare.Recipe(tmp_path / "out", SPEC)
    assert prepare.prepare(photos, recipe, processes=1) == (2, 2)
    whole = {path.name: path.read_bytes() for path in recipe.out.iterdir()}
    (recipe.out / "part-00001.npy").unlink()
    (recipe.out / "failures.tsv").unlink()
    assert prepare.prepare(photos, recipe, processes=1) == (2, 2)
    assert {path.name: path.read_bytes() for path in recipe.out.iterdir()} == whole


def test_crops_of_another_geometry_do_not_join_a_folder(photos: list[Photo], tmp_path: Path) -> None:
    prepare.prepare(photos[:1], prepare.Recipe(tmp_path / "out", SPEC), processes=1)
    assert Crops(tmp_path / "out").spec(112) == CropSpec()
    with pytest.raises(ValueError, match="holds crops of another geometry"):
        prepare.prepare(photos, prepare.Recipe(tmp_path / "out", SPEC.scaled(160)), processes=1)
    (tmp_path / "out" / "crop.json").unlink()  # as folders were before it was recorded
    with pytest.raises(ValueError, match="holds crops of another geometry"):
        prepare.prepare(photos, prepare.Recipe(tmp_path / "out", SPEC.scaled(160)), processes=1)


def test_crops_of_other_photographs_do_not_join_a_folder(photos: list[Photo], tmp_path: Path) -> None:
    recipe = prepare.Recipe(tmp_path / "out", SPEC)
    prepare.prepare(photos, recipe, processes=1)
    assert prepare.prepare(photos, recipe, processes=1) == (2, 2)
    for others in (photos[1:], [*photos[:3], Photo(photos[3].path, "eve", "mine")]):
        with pytest.raises(ValueError, match="holds crops of other photographs"):
            prepare.prepare(others, recipe, processes=1)
    assert len(Crops(recipe.out)) == 2


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["prepare", str(tmp_path / "nope.tsv"), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"nope\.tsv: No such file or directory"):
        prepare.main()


def test_what_cannot_be_opened_is_counted(photos: list[Photo], tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.jpg").mkdir()
    more = [Photo(tmp_path / name, "eve", "mine") for name in ("gone.jpg", "folder.jpg")]
    recipe = prepare.Recipe(tmp_path / "out", SPEC)
    assert prepare.prepare([*photos[:2], *more], recipe, processes=1) == (2, 2)
    assert (recipe.out / "failures.tsv").read_text().count("unreadable_file") == 2


def test_a_photograph_without_a_face_says_so(photos: list[Photo]) -> None:
    detector, recipe = FaceDetector(prepare.WEIGHTS), prepare.Recipe(photos[0].path.parent, SPEC)
    with pytest.raises(prepare.SamefaceError, match="no face"):
        prepare.crop_photo(photos[2], detector, recipe)
    assert Image.fromarray(prepare.crop_photo(photos[0], detector, recipe)).size == (128, 128)
