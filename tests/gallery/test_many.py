"""Many subjects in one transaction: the same as one after the other."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from app.domain import NewFace
from app.errors import BadRequest, GalleryNotFound
from app.gallery import audit
from app.gallery.many import NewSubject
from app.gallery.sealing import read_keys
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, embedding, new_face

LATER = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ADA = NewSubject("ada", [new_face(1), new_face(2)], {"name": "Ada Ä", "metadata": {"floor": 3}})
BOB = NewSubject("bob", [new_face(3)], {"expires_at": LATER})
NOBODY = NewSubject("nobody", [])


def stored(store: GalleryStore) -> list[Any]:
    """All that an index and a caller see of a gallery, without ids that are drawn and times."""
    faces = [(face.subject_id, face.name, face.vector) for face in store.changes(0).faces]
    subjects = [store.subject("default", name) for name in sorted({face[0] for face in faces if face[0]})]
    return [
        sorted(faces, key=str),
        [(one.subject_id, one.name, one.metadata, one.expires_at, one.faces) for one in subjects],
    ]


def test_they_are_stored_as_one_after_the_other_would_be(store: GalleryStore) -> None:
    enrolled = store.add_new("default", [ADA, BOB, NOBODY])
    assert [(one.subject_id, one.created, len(one.faces)) for one in enrolled] == [
        ("ada", True, 2),
        ("bob", True, 1),
        ("nobody", True, 0),
    ]
    together = stored(store)
    assert store.faces("default", "ada")[0].face_id == enrolled[0].faces[0].face_id
    for one in (ADA, BOB, NOBODY):
        store.remove_subject("default", one.subject_id)
        store.add("default", one.subject_id, one.faces, **one.values)
    assert stored(store)[1] == together[1]
    assert [face for face in stored(store)[0] if face[2]] == together[0]


def test_all_have_one_revision_which_an_index_sees_whole(store: GalleryStore) -> None:
    before = store.revision()
    enrolled = store.add_new("default", [ADA, BOB])
    assert {one.revision for one in enrolled} == {before + 1} == {store.revision()}
    assert [change.revision for change in store.changes(before).faces] == [before + 1] * 3


def test_who_is_there_already_is_left_alone_and_a_second_one_of_an_id_too(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(9)], name="Other")
    twice = NewSubject("bob", [new_face(4)])
    assert [one.subject_id for one in store.add_new("default", [ADA, BOB, twice])] == ["bob"]
    assert store.subject("default", "ada").name == "Other"
    assert [face.vector for face in store.changes(0).faces if face.subject_id == "bob"] == [embedding(3).tobytes()]


def test_where_all_are_there_nothing_changes(store: GalleryStore) -> None:
    store.add_new("default", [ADA])
    before = store.revision()
    assert store.add_new("default", [ADA]) == []
    assert store.revision() == before


def test_the_same_photograph_twice_is_one_face(store: GalleryStore) -> None:
    (enrolled,) = store.add_new("default", [NewSubject("ada", [new_face(1), new_face(1)])])
    one, two = enrolled.faces
    assert (one.face_id, one.existed, two.existed) == (two.face_id, False, True)
    assert store.subject("default", "ada").faces == 1


@pytest.mark.parametrize(
    "wrong",
    [
        NewSubject("x" * 200, []),
        NewSubject("eve", [], {"name": "a\nb"}),
        NewSubject("eve", [new_face(1), new_face(2), new_face(3)]),
    ],
    ids=["id", "name", "too many faces"],
)
def test_where_one_cannot_be_stored_none_is(store: GalleryStore, wrong: NewSubject) -> None:
    before = store.revision()
    with pytest.raises(BadRequest):
        store.add_new("default", [ADA, wrong], max_faces=2)
    assert (store.revision(), store.changes(0).faces) == (before, [])


def test_there_has_to_be_the_gallery(store: GalleryStore) -> None:
    with pytest.raises(GalleryNotFound):
        store.add_new("nowhere", [ADA])


def test_each_is_in_the_audit_log(store: GalleryStore, engine: sa.Engine) -> None:
    store.add_new("default", [ADA, BOB])
    with engine.connect() as connection:
        verified = audit.verify(connection)
    assert (verified.entries, verified.fault) == (2, None)


def test_templates_are_encrypted_where_there_is_a_key(engine: sa.Engine) -> None:
    keys = read_keys(SecretStr("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), None)
    GalleryStore(engine, MODEL_ID, keys).add_new("default", [ADA])
    (one, two) = GalleryStore(engine, MODEL_ID, keys).changes(0).faces
    found = sorted((one.vector, two.vector), key=str)
    assert found == sorted((embedding(1).tobytes(), embedding(2).tobytes()), key=str)
    with engine.connect() as connection:
        vectors = connection.exec_driver_sql("SELECT vector FROM faces").scalars().all()
    assert all(len(vector) > 512 for vector in vectors)
    assert not {bytes(vector) for vector in vectors} & set(found)


def test_what_is_no_embedding_is_not_stored(store: GalleryStore) -> None:
    face = NewFace(np.full(128, np.nan, np.float32), "0" * 64)
    with pytest.raises(ValueError, match="finite"):
        store.add_new("default", [NewSubject("ada", [face])])
    assert store.changes(0).faces == []
