"""Crops in the database: stored with their face, sealed like its template, and gone with it."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.domain import FaceCrop, NewFace
from app.errors import CropNotKept, FaceNotFound, GalleryNotFound
from app.gallery import rotation
from app.gallery.erasure import verify_erasure
from app.gallery.sealing import SealBroken, TemplateKeys
from app.gallery.store import GalleryStore
from app.gallery.tables import face_crops
from tests.gallery.faces import MODEL_ID, new_face

FIRST, SECOND = b"1" * 32, b"2" * 32
NOBODY = "00000000-0000-0000-0000-000000000000"


def cropped(seed: int) -> NewFace:
    """A face with a crop; the bytes need not be a picture here."""
    crop = FaceCrop(b"WEBP" + seed.to_bytes(2, "big") * 6000, ((1.0, 2.0), (3.0, 4.5)))
    return replace(new_face(seed), crop=crop)


def count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(face_crops)).scalar_one())


@pytest.fixture
def store(engine: sa.Engine, database: str) -> GalleryStore:
    """Encrypted on one kind of database, plain on the other."""
    return GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,)) if database == "sqlite" else None)


def test_a_crop_is_given_back_as_it_was(store: GalleryStore) -> None:
    faces = store.add("default", "ada", [cropped(1), new_face(2), cropped(3)]).faces
    assert store.crop("default", faces[0].face_id) == cropped(1).crop
    assert store.crop("default", faces[2].face_id.upper()) == cropped(3).crop
    assert [face.crop_kept for face in store.faces("default", "ada")] == [True, False, True]


def test_a_face_without_a_crop_and_a_face_that_is_not_there_are_told_apart(store: GalleryStore) -> None:
    store.create_gallery("other")
    [face] = store.add("default", "ada", [new_face(1)]).faces
    [elsewhere] = store.add("other", "ada", [cropped(2)]).faces
    with pytest.raises(CropNotKept):
        store.crop("default", face.face_id)
    for face_id in (NOBODY, elsewhere.face_id, "no uuid"):
        with pytest.raises(FaceNotFound):
            store.crop("default", face_id)
    with pytest.raises(GalleryNotFound):
        store.crop("nowhere", face.face_id)


def test_a_photograph_that_was_enrolled_without_its_crop_gets_it_when_it_comes_again(store: GalleryStore) -> None:
    first = store.add("default", "ada", [new_face(1)])
    again = store.add("default", "ada", [cropped(1)])
    assert again.faces[0].existed
    assert again.revision == first.revision + 1
    assert store.crop("default", first.faces[0].face_id) == cropped(1).crop
    assert store.add("default", "ada", [cropped(1)]).revision == again.revision


def test_the_same_photograph_twice_in_one_request_is_one_crop(store: GalleryStore, engine: sa.Engine) -> None:
    store.add("default", "ada", [cropped(1), cropped(1)])
    assert count(engine) == 1


@pytest.mark.parametrize("what", ["face", "subject", "gallery"])
def test_a_crop_goes_with_what_it_belongs_to_and_no_other_does(
    store: GalleryStore, engine: sa.Engine, what: str
) -> None:
    store.create_gallery("other")
    [kept] = store.add("default", "bob", [cropped(9)]).faces
    [gone] = store.add("other", "ada", [cropped(1)]).faces
    if what == "face":
        store.remove_face("other", gone.face_id)
    elif what == "subject":
        store.remove_subject("other", "ada")
    else:
        store.drop_gallery("other")
    assert count(engine) == 1
    assert store.crop("default", kept.face_id) == cropped(9).crop


def test_nothing_of_an_erased_crop_is_left_on_the_disk(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    store = GalleryStore(sqlite_engine, MODEL_ID)
    for seed in range(1, 6):
        store.add("default", f"s{seed}", [cropped(seed)])
    pattern = (3).to_bytes(2, "big") * 16

    def on_disk() -> bool:
        return any(pattern in path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm"))

    assert on_disk()
    store.remove_subject("default", "s3")
    assert not on_disk()


def test_a_crop_that_outlived_its_face_is_found_by_the_proof_of_erasure(store: GalleryStore, engine: sa.Engine) -> None:
    [face] = store.add("default", "ada", [cropped(1), cropped(2)]).faces[:1]
    assert {finding.check: finding.ok for finding in verify_erasure(engine)}["crops"] is True
    with engine.begin() as connection:
        kept = connection.execute(sa.select(face_crops).where(face_crops.c.face_id == face.face_id)).one()
    store.remove_face("default", face.face_id)
    with engine.begin() as connection:
        connection.execute(sa.insert(face_crops).values(kept._asdict()))
    assert {finding.check: finding.ok for finding in verify_erasure(engine)}["crops"] is False


def test_an_encrypted_crop_cannot_be_read_or_passed_off_as_another(engine: sa.Engine) -> None:
    store = GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,)))
    one, other = store.add("default", "ada", [cropped(1), cropped(2)]).faces
    with engine.begin() as connection:
        stored = connection.execute(
            sa.select(face_crops.c.crop).where(face_crops.c.face_id == one.face_id)
        ).scalar_one()
        assert (1).to_bytes(2, "big") * 8 not in stored
        connection.execute(sa.update(face_crops).where(face_crops.c.face_id == other.face_id).values(crop=stored))
    assert store.crop("default", one.face_id) == cropped(1).crop
    with pytest.raises(SealBroken):
        store.crop("default", other.face_id)


def test_rotation_takes_the_crops_along(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "CROP_BATCH", 2)
    faces = GalleryStore(engine, MODEL_ID).add("default", "plain", [cropped(1), cropped(2)]).faces
    faces += GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,))).add("default", "first", [cropped(3)]).faces
    keys = TemplateKeys((SECOND, FIRST))
    assert rotation.count_to_rotate(engine, keys) == 6
    assert list(rotation.rotate(engine, keys)) == [3, 2, 1]
    assert rotation.count_to_rotate(engine, keys) == 0
    store = GalleryStore(engine, MODEL_ID, TemplateKeys((SECOND,)))
    store.check_keys()
    assert [store.crop("default", face.face_id) for face in faces] == [cropped(seed).crop for seed in (1, 2, 3)]
