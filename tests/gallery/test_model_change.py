"""Another embedding model over the same gallery: what is embedded anew, what is refused, and what is forgotten."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from app.domain import Embedding, FaceCrop, NewFace
from app.errors import ConfigurationError, NotReady
from app.gallery import model_change
from app.gallery.engine import open_engine
from app.gallery.erasure import verify_erasure
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.model_change import Coverage, MissingSubject
from app.gallery.sealing import TemplateKeys
from app.gallery.store import GalleryStore
from app.gallery.tables import face_crops, faces
from tests.gallery.faces import EMBEDDING_SIZE, embedding, new_face

OLD, NEW = "old-model", "new-model"
KEY = b"1" * 32


def cropped(seed: int) -> NewFace:
    """A face whose crop says which it is."""
    return replace(new_face(seed), crop=FaceCrop(str(seed).encode(), ((1.0, 2.0),)))


def embed(crops: Sequence[FaceCrop]) -> list[Embedding | None]:
    """The new model: another vector for each crop, and none for one that is no number."""
    return [embedding(1000 + int(crop.webp)) if crop.webp.isdigit() else None for crop in crops]


@pytest.fixture
def keys(database: str) -> TemplateKeys:
    """Encrypted on one kind of database, plain on the other."""
    return TemplateKeys((KEY,)) if database == "postgresql" else TemplateKeys()


@pytest.fixture
def old(engine: sa.Engine, keys: TemplateKeys) -> GalleryStore:
    return GalleryStore(engine, OLD, keys)


@pytest.fixture
def new(engine: sa.Engine, keys: TemplateKeys) -> GalleryStore:
    return GalleryStore(engine, NEW, keys)


def covered(engine: sa.Engine, model_id: str) -> Coverage:
    with engine.connect() as connection:
        return model_change.coverage(connection, model_id)


def held(store: GalleryStore) -> dict[str, Embedding]:
    """The vector of each face that an index of this store would find, by face_id."""
    faces = store.changes(0).faces
    return {face.face_id: np.frombuffer(face.vector, "<f4") for face in faces if face.vector is not None}


def test_every_kept_crop_is_embedded_under_the_same_face_id(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    faces = old.add("default", "ada", [cropped(1), cropped(2)], name="Ada").faces
    old.create_gallery("other")
    faces += old.add("other", "bob", [cropped(3)]).faces
    before = held(old)
    assert list(model_change.reembed(engine, NEW, keys, embed, batch=2)) == [2, 1]
    expected = {face.face_id: embedding(1000 + seed) for seed, face in enumerate(faces, start=1)}
    np.testing.assert_equal(
        {face_id.replace("-", ""): v for face_id, v in held(new).items()},
        {face_id.replace("-", ""): v for face_id, v in expected.items()},
    )
    np.testing.assert_equal(held(old), before)
    index = FaissIndex(EMBEDDING_SIZE)
    GalleryFollower(new, index)._catch_up()
    [[found]] = index.search("default", embedding(1002)[None], 1)
    assert (found.subject_id, found.name, found.face_id) == ("ada", "Ada", faces[1].face_id)


def test_a_second_run_has_nothing_to_do_and_takes_no_revision(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    old.add("default", "ada", [cropped(1)])
    list(model_change.reembed(engine, NEW, keys, embed))
    revision = new.revision()
    assert list(model_change.reembed(engine, NEW, keys, embed)) == []
    assert new.revision() == revision


def test_what_was_stopped_goes_on_where_it_was(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    old.add("default", "ada", [cropped(seed) for seed in range(1, 8)])
    assert next(model_change.reembed(engine, NEW, keys, embed, batch=3)) == 3
    assert covered(engine, NEW) == Coverage(with_crop=4, without_crop=0)
    assert sum(model_change.reembed(engine, NEW, keys, embed, batch=3)) == 4
    assert len(held(new)) == 7


def test_two_runs_at_once_embed_each_face_once(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    for subject in range(12):
        old.add("default", f"s{subject}", [cropped(subject)])
    threads = [
        threading.Thread(target=lambda: list(model_change.reembed(engine, NEW, keys, embed, batch=2))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held(new)) == len(new.changes(0).faces) == 12


@pytest.mark.parametrize("what", ["face", "subject", "gallery"])
def test_who_is_erased_while_the_model_works_stays_erased(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore, what: str
) -> None:
    old.create_gallery("other")
    [gone] = old.add("other", "ada", [cropped(1)]).faces
    [kept] = old.add("default", "bob", [cropped(2)]).faces

    def erasing(crops: Sequence[FaceCrop]) -> list[Embedding | None]:
        if what == "face":
            old.remove_face("other", gone.face_id)
        elif what == "subject":
            old.remove_subject("other", "ada")
        else:
            old.drop_gallery("other")
        return embed(crops)

    list(model_change.reembed(engine, NEW, keys, erasing))
    assert [face_id.replace("-", "") for face_id in held(new)] == [kept.face_id.replace("-", "")]
    assert {finding.ok for finding in verify_erasure(engine)} <= {True, None}


def test_a_subject_that_is_merged_while_the_model_works_takes_the_faces_along(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    old.add("default", "ada", [cropped(1)])
    old.add("default", "bob", [cropped(2)])

    def merging(crops: Sequence[FaceCrop]) -> list[Embedding | None]:
        old.rename_subject("default", "ada", "bob")
        return embed(crops)

    assert sum(model_change.reembed(engine, NEW, keys, merging)) == 2
    assert len(new.faces("default", "bob")) == len(held(new)) == 2


def test_a_photograph_that_is_enrolled_again_by_the_new_model_is_one_face(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    [first] = old.add("default", "ada", [cropped(1)]).faces
    [again] = new.add("default", "ada", [new_face(1)]).faces
    assert (again.face_id, again.existed) == (first.face_id, False)
    assert list(model_change.reembed(engine, NEW, keys, embed)) == []
    assert new.remove_subject("default", "ada").faces == 1
    assert held(old) == held(new) == {}


def test_faces_without_a_crop_are_counted_and_their_subjects_named(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore
) -> None:
    old.create_gallery("other")
    old.add("default", "ada", [new_face(1), new_face(2), cropped(3)])
    old.add("other", "bob", [new_face(4)])
    old.add("other", "cleo", [cropped(5)])
    assert covered(engine, NEW) == Coverage(with_crop=2, without_crop=3)
    list(model_change.reembed(engine, NEW, keys, embed))
    assert covered(engine, NEW) == Coverage(with_crop=0, without_crop=3)
    with engine.connect() as connection:
        assert list(model_change.missing_subjects(connection, NEW)) == [
            MissingSubject("default", "ada", 2),
            MissingSubject("other", "bob", 1),
        ]


def test_a_crop_that_cannot_be_read_is_left_and_told(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = replace(new_face(1), crop=FaceCrop(b"no number", ()))
    old.add("default", "ada", [damaged, cropped(2)])
    assert list(model_change.reembed(engine, NEW, keys, embed)) == [2]
    assert "cannot be read" in caplog.text
    assert len(held(new)) == 1
    assert covered(engine, NEW) == Coverage(with_crop=1, without_crop=0)


def test_an_altered_crop_is_left_and_told(engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    keys = TemplateKeys((KEY,))
    faces = GalleryStore(engine, OLD, keys).add("default", "ada", [cropped(1), cropped(2)]).faces
    with engine.begin() as connection:
        one = face_crops.c.face_id == faces[0].face_id
        connection.execute(sa.update(face_crops).where(one).values(crop=b"x" * 40))
    list(model_change.reembed(engine, NEW, keys, embed))
    assert "was altered" in caplog.text
    assert len(held(GalleryStore(engine, NEW, keys))) == 1


def test_a_model_without_faces_is_refused_while_another_has_some(
    old: GalleryStore, new: GalleryStore, caplog: pytest.LogCaptureFixture
) -> None:
    for store in (old, new):
        store.check_model(start_without_faces=False)  # nobody is enrolled yet
    old.add("default", "ada", [cropped(1), new_face(2)])
    old.check_model(start_without_faces=False)
    with pytest.raises(ConfigurationError, match="`sameface reembed`") as refusal:
        new.check_model(start_without_faces=False)
    assert "2 have one of old-model" in refusal.value.message
    assert "1 faces whose crop is kept" in refusal.value.message
    assert "SAMEFACE_START_WITHOUT_FACES" in refusal.value.message
    new.check_model(start_without_faces=True)
    assert "enrolled again" in caplog.text


def test_a_model_with_some_of_the_faces_starts_and_says_so(
    old: GalleryStore, new: GalleryStore, caplog: pytest.LogCaptureFixture
) -> None:
    old.add("default", "ada", [new_face(1)])
    new.add("default", "ada", [new_face(1)])
    new.check_model(start_without_faces=False)
    assert caplog.text == ""
    old.add("default", "bob", [new_face(2)])
    new.check_model(start_without_faces=False)
    assert "some faces have no embedding" in caplog.text
    old.remove_subject("default", "bob")
    caplog.clear()
    new.check_model(start_without_faces=False)
    assert caplog.text == ""


def test_a_forgotten_model_leaves_tombstones_and_the_other_models_faces(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_change, "FORGET_BATCH", 2)
    old.add("default", "ada", [cropped(1), cropped(2)])
    list(model_change.reembed(engine, NEW, keys, embed))
    lost = old.add("default", "bob", [new_face(3)])
    index = FaissIndex(EMBEDDING_SIZE)
    GalleryFollower(old, index)._catch_up()
    assert list(model_change.forget_model(engine, OLD)) == [2, 1]
    GalleryFollower(old, index)._catch_up()
    assert index.state("default").faces == 0
    assert held(old) == {}
    assert len(held(new)) == 2
    assert [face.crop_kept for face in new.faces("default", "ada")] == [True, True]
    assert new.subject("default", "bob").faces == 0
    assert lost.faces
    assert {finding.ok for finding in verify_erasure(engine)} <= {True, None}


def test_what_the_log_keeps_of_a_forgotten_model_is_told(sqlite_url: str, sqlite_store: GalleryStore) -> None:
    engine = open_engine(sqlite_url, lock_timeout_seconds=0.1)
    GalleryStore(engine, OLD).add("default", "ada", [new_face(1)])
    with engine.begin() as reader:
        reader.execute(sa.select(faces)).all()
        with pytest.raises(NotReady, match="are erased, but SQLite's write-ahead log still holds them"):
            list(model_change.forget_model(engine, OLD))
    assert list(model_change.forget_model(engine, OLD)) == []
    engine.dispose()


def test_going_back_to_a_forgotten_model_brings_its_faces_back_under_their_ids(
    engine: sa.Engine, keys: TemplateKeys, old: GalleryStore, new: GalleryStore
) -> None:
    first = old.add("default", "ada", [cropped(1), cropped(2)]).faces
    list(model_change.reembed(engine, NEW, keys, embed))
    index = FaissIndex(EMBEDDING_SIZE)
    GalleryFollower(old, index)._catch_up()
    list(model_change.forget_model(engine, OLD))
    [again] = old.add("default", "ada", [new_face(2)]).faces
    assert again.face_id == first[1].face_id
    list(model_change.reembed(engine, OLD, keys, embed))
    GalleryFollower(old, index)._catch_up()
    assert index.state("default").faces == len(held(old)) == 2
