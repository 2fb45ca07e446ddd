"""What the store tells an index about its rows."""

import numpy as np
import pytest
import sqlalchemy as sa

from app.domain import NewFace
from app.gallery import tables
from app.gallery.store import GalleryStore
from tests.gallery.faces import embedding, new_face


def test_a_change_carries_all_that_an_index_answers_with(store: GalleryStore) -> None:
    [face] = store.add("default", "ada", [new_face(1)], name="Ada").faces
    changes = store.changes(1)
    [change] = changes.faces
    assert (change.subject_id, change.name, change.revision) == ("ada", "Ada", 2)
    assert change.face_id.replace("-", "") == face.face_id.replace("-", "")
    assert change.vector is not None
    np.testing.assert_array_equal(np.frombuffer(change.vector, "<f4"), embedding(1))
    assert (changes.revision, changes.newest_revision, list(changes.galleries)) == (2, 2, [])


def test_a_vector_is_stored_as_little_endian_float32(store: GalleryStore) -> None:
    store.add("default", "ada", [NewFace(embedding(1).astype(">f8"), "0" * 64)])  # type: ignore[arg-type]
    assert store.changes(0).faces[0].vector == embedding(1).tobytes()


def test_a_removed_face_is_told_as_a_tombstone(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)], name="Ada")
    store.remove_subject("default", "ada")
    [change] = store.changes(0).faces
    assert (change.vector, change.subject_id, change.subject_key, change.name) == (None, None, None, None)
    assert change.revision == 3


def test_a_new_name_is_a_change_of_every_face(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1), new_face(2)], name="Ada")
    store.add("default", "bob", [new_face(3)])
    revision = store.update_subject("default", "ada", {"name": "Ada King"})
    assert [(change.name, change.revision) for change in store.changes(3).faces] == [("Ada King", revision)] * 2


def test_new_metadata_is_no_change_of_a_face_but_the_revision_moves_on(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)])
    store.update_subject("default", "ada", {"metadata": {"a": 1}})
    changes = store.changes(2)
    assert (changes.revision, list(changes.faces)) == (3, [])


def test_galleries_are_told_when_they_come_and_when_they_go(store: GalleryStore) -> None:
    store.create_gallery("site-b")
    assert [(gallery.name, gallery.revision) for gallery in store.changes(0).galleries] == [
        ("default", 1),
        ("site-b", 2),
    ]
    store.add("site-b", "ada", [new_face(1)])
    store.drop_gallery("site-b")
    changes = store.changes(2)
    assert [(gallery.name, gallery.revision) for gallery in changes.galleries] == [(None, 4)]
    assert list(changes.faces) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_of_changes_miss_nothing_and_cut_no_revision(store: GalleryStore, limit: int) -> None:
    for subject in range(6):
        store.add("default", f"s{subject}", [new_face(10 * subject + photo) for photo in range(subject % 3 + 1)])
        store.create_gallery(f"g{subject}")
    told, galleries, revision = [], [], 0
    while (changes := store.changes(revision, limit)).revision > revision:
        faces = [change.revision for change in changes.faces]
        assert all(revision < face <= changes.revision for face in faces)
        assert faces == sorted(faces)
        assert changes.newest_revision == 13
        told += [change.id for change in changes.faces]
        galleries += [event.name for event in changes.galleries]
        revision = changes.revision
    assert revision == store.revision() == 13
    assert len(told) == len(set(told)) == 1 + 2 + 3 + 1 + 2 + 3
    assert galleries == ["default", *(f"g{subject}" for subject in range(6))]


def test_a_row_that_moves_on_while_pages_are_read_is_told_later(store: GalleryStore, engine: sa.Engine) -> None:
    store.add("default", "ada", [new_face(1)])
    store.add("default", "bob", [new_face(2)])
    first = store.changes(0, limit=1)
    store.update_subject("default", "bob", {"name": "Bob"})
    second = store.changes(first.revision, limit=1)
    assert [(change.subject_id, change.name) for change in (*first.faces, *second.faces)] == [
        ("ada", None),
        ("bob", "Bob"),
    ]
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.faces)).scalar_one() == 2
