"""Every operation of the store on both databases: what it answers, and what it leaves behind."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa

from app.domain import NewFace
from app.errors import BadRequest, FaceNotFound, GalleryNotFound, SubjectNotFound
from app.gallery import tables
from app.gallery.engine import open_engine
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, embedding, new_face

LATER = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def test_a_new_database_has_the_default_gallery_and_nobody_in_it(store: GalleryStore) -> None:
    [gallery] = store.galleries()
    assert (gallery.name, gallery.subjects, gallery.faces) == ("default", 0, 0)
    assert store.revision() == 1


def test_a_subject_comes_back_as_it_was_enrolled(store: GalleryStore) -> None:
    before = datetime.now(UTC)
    metadata = {"department": "Entwicklung", "badge": 7, "tags": ["ж", None, 1.5], "emoji": "👩🏽‍💻", "nul": "a\0b"}
    enrolled = store.add(
        "default", "emp-1", [new_face(1), new_face(2)], name="Ada Łovelace", metadata=metadata, expires_at=LATER
    )
    subject = store.subject("default", "emp-1")
    assert (enrolled.subject_id, enrolled.created, enrolled.revision) == ("emp-1", True, 2)
    assert [face.existed for face in enrolled.faces] == [False, False]
    assert (subject.subject_id, subject.gallery, subject.name) == ("emp-1", "default", "Ada Łovelace")
    assert (subject.metadata, subject.faces, subject.expires_at) == (metadata, 2, LATER)
    assert before <= subject.created_at == subject.updated_at <= datetime.now(UTC)
    faces = store.faces("default", "emp-1")
    assert [face.face_id for face in faces] == [face.face_id for face in enrolled.faces]
    assert all(before <= face.created_at <= datetime.now(UTC) for face in faces)


def test_a_time_of_another_zone_is_the_same_moment(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)], expires_at=LATER.astimezone(ZoneInfo("Asia/Kathmandu")))
    assert store.subject("default", "ada").expires_at == LATER


def test_the_same_photograph_again_is_the_same_face_and_no_new_revision(store: GalleryStore) -> None:
    first = store.add("default", "ada", [new_face(1)], name="Ada")
    again = store.add("default", "ada", [new_face(1)], name="Ada")
    assert [(face.face_id, face.existed) for face in again.faces] == [(first.faces[0].face_id, True)]
    assert (again.created, again.revision, store.revision()) == (False, first.revision, first.revision)
    assert store.subject("default", "ada").faces == 1


def test_the_same_photograph_twice_in_one_enrolment_is_one_face(store: GalleryStore) -> None:
    one, two = store.add("default", "ada", [new_face(1), new_face(1)]).faces
    assert (one.face_id, one.existed, two.existed) == (two.face_id, False, True)
    assert store.subject("default", "ada").faces == 1


def test_the_same_photograph_of_another_subject_is_another_face(store: GalleryStore) -> None:
    [ada] = store.add("default", "ada", [new_face(1)]).faces
    [bob] = store.add("default", "bob", [new_face(1)]).faces
    assert ada.face_id != bob.face_id
    assert not bob.existed


def test_a_photograph_can_be_enrolled_again_after_its_face_was_removed(store: GalleryStore) -> None:
    [face] = store.add("default", "ada", [new_face(1)]).faces
    store.remove_face("default", face.face_id)
    [again] = store.add("default", "ada", [new_face(1)]).faces
    assert not again.existed
    assert again.face_id != face.face_id


def test_another_face_leaves_name_metadata_and_expiry_alone(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)], name="Ada", metadata={"a": 1}, expires_at=LATER)
    before = store.subject("default", "ada")
    enrolled = store.add("default", "ada", [new_face(2)])
    after = store.subject("default", "ada")
    assert (enrolled.created, enrolled.revision) == (False, 3)
    assert (after.name, after.metadata, after.expires_at, after.faces) == ("Ada", {"a": 1}, LATER, 2)
    assert before.created_at == after.created_at
    assert before.updated_at < after.updated_at


def test_enrolling_a_known_photograph_with_new_facts_changes_the_facts(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)], name="Ada")
    enrolled = store.add("default", "ada", [new_face(1)], name="Ada King", metadata={"a": 1})
    subject = store.subject("default", "ada")
    assert (enrolled.revision, enrolled.faces[0].existed) == (3, True)
    assert (subject.name, subject.metadata, subject.faces) == ("Ada King", {"a": 1}, 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "Ada King"}, ("Ada King", {"a": 1}, LATER)),
        ({"name": None}, (None, {"a": 1}, LATER)),
        ({"metadata": {}}, ("Ada", {}, LATER)),
        ({"expires_at": None}, ("Ada", {"a": 1}, None)),
        ({"expires_at": LATER + timedelta(days=1)}, ("Ada", {"a": 1}, LATER + timedelta(days=1))),
    ],
)
def test_a_change_of_a_subject_changes_what_it_names(store: GalleryStore, changes: Any, expected: Any) -> None:
    store.add("default", "ada", [new_face(1)], name="Ada", metadata={"a": 1}, expires_at=LATER)
    assert store.update_subject("default", "ada", changes) == 3
    subject = store.subject("default", "ada")
    assert (subject.name, subject.metadata, subject.expires_at) == expected


@pytest.mark.parametrize(
    ("before", "after"), [({"a": 1}, {"a": True}), ({"a": [0]}, {"a": [False]}), ({"a": 1}, {"a": 1.0})]
)
def test_what_python_takes_for_equal_is_a_change_of_metadata(store: GalleryStore, before: Any, after: Any) -> None:
    store.add("default", "ada", [new_face(1)], metadata=before)
    assert store.update_subject("default", "ada", {"metadata": after}) == 3
    assert repr(store.subject("default", "ada").metadata) == repr(after)


def test_a_change_that_changes_nothing_takes_no_revision(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)], name="Ada", metadata={"a": [1]}, expires_at=LATER)
    same: Any = {"name": "Ada", "metadata": {"a": [1]}, "expires_at": LATER}
    assert store.update_subject("default", "ada", same) == 2
    assert store.revision() == 2


def test_erasing_a_subject_takes_its_faces_along(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1), new_face(2)])
    store.add("default", "bob", [new_face(3)])
    erased = store.remove_subject("default", "ada")
    assert (erased.faces, erased.revision) == (2, 4)
    assert [subject.subject_id for subject in store.subjects("default")] == ["bob"]
    with pytest.raises(SubjectNotFound):
        store.remove_subject("default", "ada")
    assert store.revision() == 4


def test_erased_rows_hold_nothing_of_the_person(store: GalleryStore, engine: sa.Engine) -> None:
    store.add("default", "ada", [new_face(1)], name="Ada", metadata={"a": 1})
    store.remove_subject("default", "ada")
    with engine.connect() as connection:
        [tombstone] = connection.execute(sa.select(tables.faces)).all()
        assert connection.execute(sa.select(tables.subjects)).all() == []
    assert (tombstone.vector, tombstone.content_sha256, tombstone.subject_key, tombstone.revision) == (*[None] * 3, 3)


def test_the_database_refuses_a_tombstone_that_is_not_blank(store: GalleryStore, engine: sa.Engine) -> None:
    store.add("default", "ada", [new_face(1)])
    for columns in ({"subject_key": None}, {"vector": None}, {"content_sha256": None}):
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(sa.update(tables.faces).values(**columns))


def test_a_subject_outlives_its_last_face(store: GalleryStore) -> None:
    [face] = store.add("default", "ada", [new_face(1)]).faces
    assert store.remove_face("default", face.face_id.upper()) == 3
    assert store.subject("default", "ada").faces == 0
    assert store.faces("default", "ada") == []
    with pytest.raises(FaceNotFound):
        store.remove_face("default", face.face_id)


def test_faces_of_another_gallery_are_not_found(store: GalleryStore) -> None:
    store.create_gallery("other")
    [face] = store.add("default", "ada", [new_face(1)]).faces
    with pytest.raises(FaceNotFound):
        store.remove_face("other", face.face_id)
    with pytest.raises(SubjectNotFound):
        store.subject("other", "ada")
    assert store.subject("default", "ada").faces == 1


def test_one_gallery_is_counted_as_among_all(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1), new_face(2)])
    store.create_gallery("side")
    assert [store.gallery("default"), store.gallery("side")] == store.galleries()
    for name in ("nowhere", "", "a\x00"):
        with pytest.raises(GalleryNotFound):
            store.gallery(name)


def test_galleries_side_by_side_know_nothing_of_each_other(store: GalleryStore) -> None:
    assert store.create_gallery("site-b") == 2
    store.add("default", "ada", [new_face(1)], name="Ada")
    store.add("site-b", "ada", [new_face(1), new_face(2)], name="Another Ada")
    store.remove_subject("default", "ada")
    assert store.subject("site-b", "ada").name == "Another Ada"
    assert [(gallery.name, gallery.subjects, gallery.faces) for gallery in store.galleries()] == [
        ("default", 0, 0),
        ("site-b", 1, 2),
    ]


def test_making_a_gallery_that_exists_changes_nothing(store: GalleryStore) -> None:
    assert store.create_gallery("site-b") == 2
    assert store.create_gallery("site-b") == 2
    assert store.revision() == 2


def test_a_dropped_gallery_is_gone_with_all_in_it_and_can_be_made_again(store: GalleryStore, engine: sa.Engine) -> None:
    store.create_gallery("site-b")
    store.add("site-b", "ada", [new_face(1), new_face(2)])
    store.add("default", "bob", [new_face(3)])
    erased = store.drop_gallery("site-b")
    assert (erased.subjects, erased.faces, erased.revision) == (1, 2, 5)
    with pytest.raises(GalleryNotFound):
        store.drop_gallery("site-b")
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.faces)).scalar_one() == 1
    store.create_gallery("site-b")
    assert store.subjects("site-b") == []
    assert store.subject("default", "bob").faces == 1


def test_too_many_faces_of_a_subject_are_refused_and_none_is_stored(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1), new_face(2)], max_faces=3)
    with pytest.raises(BadRequest) as caught:
        store.add("default", "ada", [new_face(3), new_face(4)], max_faces=3)
    assert caught.value.facts == {"faces": 4, "max_faces": 3}
    assert (store.subject("default", "ada").faces, store.revision()) == (2, 2)
    store.add("default", "ada", [new_face(1), new_face(3)], max_faces=3)


def test_a_refused_enrolment_of_a_new_subject_leaves_no_subject(store: GalleryStore) -> None:
    with pytest.raises(BadRequest):
        store.add("default", "ada", [new_face(1), new_face(2)], max_faces=1)
    assert store.subjects("default") == []


def test_an_embedding_that_is_not_finite_is_never_stored(store: GalleryStore) -> None:
    vector = embedding(1)
    vector[3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        store.add("default", "ada", [new_face(2), NewFace(vector, "0" * 64)])
    assert store.subjects("default") == []


@pytest.mark.parametrize("gallery", ["missing", "", "a\0b", "\ud800", "x" * 1000, "Default"])
def test_an_unknown_gallery_is_not_found_whatever_it_is_called(store: GalleryStore, gallery: str) -> None:
    for ask in (
        lambda: store.add(gallery, "ada", [new_face(1)]),
        lambda: store.subject(gallery, "ada"),
        lambda: store.subjects(gallery),
        lambda: store.remove_subject(gallery, "ada"),
        lambda: store.drop_gallery(gallery),
    ):
        with pytest.raises(GalleryNotFound):
            ask()
    assert store.revision() == 1


@pytest.mark.parametrize("subject_id", ["missing", "", "a\0b", "\ud800", "x" * 129, "'; DROP TABLE faces; --"])
def test_an_unknown_subject_is_not_found_whatever_it_is_called(store: GalleryStore, subject_id: str) -> None:
    for ask in (
        lambda: store.subject("default", subject_id),
        lambda: store.faces("default", subject_id),
        lambda: store.remove_subject("default", subject_id),
        lambda: store.update_subject("default", subject_id, {"name": "Ada"}),
    ):
        with pytest.raises(SubjectNotFound):
            ask()


@pytest.mark.parametrize("face_id", ["", "x", "a\0b", "\ud800", "00000000-0000-0000-0000-000000000000", "9" * 10_000])
def test_an_unknown_face_is_not_found_whatever_it_is_called(store: GalleryStore, face_id: str) -> None:
    with pytest.raises(FaceNotFound):
        store.remove_face("default", face_id)


@pytest.mark.parametrize(
    "arguments",
    [
        {"subject_id": ""},
        {"subject_id": "x" * 129},
        {"subject_id": "a\0b"},
        {"subject_id": "\ud800"},
        {"subject_id": "a\uffff"},
        {"name": "x" * 257},
        {"name": "a\0b"},
        {"name": "a\nb"},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": "\ud800"}},
        {"metadata": {"a": b"bytes"}},
        {"expires_at": datetime(2031, 1, 1)},
    ],
    ids=repr,
)
def test_what_cannot_be_stored_is_a_bad_request_that_names_the_field(
    store: GalleryStore, arguments: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest) as caught:
        store.add("default", **{"subject_id": "ada", "faces": [new_face(1)], **arguments})
    assert caught.value.field == next(iter(arguments))
    assert store.revision() == 1


@pytest.mark.parametrize(
    "subject_id", ["x" * 128, "😀" * 128, " ", "a/b?c#d", "%2e%2e", "日本", "_%*", "Ünï\u200dcode"]
)
def test_any_other_text_can_be_a_subject_id(store: GalleryStore, subject_id: str) -> None:
    store.add("default", subject_id, [new_face(1)], name=subject_id)
    assert store.subject("default", subject_id).name == subject_id
    assert [subject.subject_id for subject in store.subjects("default", prefix=subject_id)] == [subject_id]


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "ä", "x" * 65, "a\n"])
def test_a_gallery_needs_a_plain_name(store: GalleryStore, name: str) -> None:
    with pytest.raises(BadRequest):
        store.create_gallery(name)


def test_subjects_are_listed_by_code_points_in_pages_that_miss_none(store: GalleryStore) -> None:
    ids = ["B", "a", "a!", "aa", "ab", "b", "a_", "a%", "á", "日本", "😀", "A"]
    for subject_id in ids:
        store.add("default", subject_id, [])
    listed: list[str] = []
    while page := store.subjects("default", limit=5, after=listed[-1] if listed else None):
        listed += [subject.subject_id for subject in page]
    assert listed == sorted(ids)


@pytest.mark.parametrize("prefix", ["a", "A", "a_", "a%", "", "z", "á"])
def test_a_prefix_is_taken_literally(store: GalleryStore, prefix: str) -> None:
    ids = ["B", "a", "a!", "aa", "ab", "b", "a_", "a_b", "a%", "á", "A"]
    for subject_id in ids:
        store.add("default", subject_id, [])
    listed = [subject.subject_id for subject in store.subjects("default", prefix=prefix)]
    assert listed == sorted(subject_id for subject_id in ids if subject_id.startswith(prefix))


def test_a_prefix_or_cursor_that_no_subject_can_have_is_a_bad_request(store: GalleryStore) -> None:
    for page in ({"prefix": "a\0"}, {"after": "\ud800"}):
        with pytest.raises(BadRequest):
            store.subjects("default", **page)  # type: ignore[arg-type]


def test_another_model_neither_sees_nor_disturbs_these_faces(store: GalleryStore, engine: sa.Engine) -> None:
    other = GalleryStore(engine, "another-model")
    store.add("default", "ada", [new_face(1)])
    [face] = other.add("default", "ada", [new_face(1)]).faces
    assert not face.existed
    assert [len(one.changes(0).faces) for one in (store, other)] == [1, 1]
    assert store.subject("default", "ada").faces == other.subject("default", "ada").faces == 1
    assert store.remove_subject("default", "ada").faces == 1  # one photograph, embedded by two models
    assert [change.vector for one in (store, other) for change in one.changes(0).faces] == [None, None]


@pytest.mark.parametrize("expires_at", ["9999-12-31T23:59:59Z", "9999-12-31T18:59:59-05:00"])
def test_the_end_of_time_comes_back_as_it_was_given(store: GalleryStore, expires_at: str) -> None:
    given = datetime.fromisoformat(expires_at)
    store.add("default", "ada", [new_face(1)], expires_at=given)
    assert store.subject("default", "ada").expires_at == given
    assert store.remove_subject("default", "ada").faces == 1


def test_a_removal_that_cannot_empty_the_log_says_so(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = open_engine(sqlite_url, lock_timeout_seconds=0.1)
    store = GalleryStore(engine, MODEL_ID)
    store.add("default", "ada", [new_face(1)])
    with engine.begin() as reader:
        reader.execute(sa.select(tables.faces)).all()
        store.remove_subject("default", "ada")
        assert "write-ahead log is in use" in caplog.text
    assert store.purge()
    engine.dispose()


def test_a_subject_whose_time_is_over_is_not_brought_back_by_a_change(store: GalleryStore) -> None:
    store.add("default", "ada", [new_face(1)], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(SubjectNotFound):
        store.update_subject("default", "ada", {"expires_at": None})


def test_metadata_deeper_than_answers_can_be_is_refused(store: GalleryStore) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(BadRequest, match="metadata cannot be kept as JSON"):
        store.add("default", "ada", [new_face(1)], metadata=deep)
