"""A gallery as one collection, on both databases: pages of all faces, new ids of subjects, everything erased."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain import FaceCrop
from app.errors import BadRequest, FaceNotFound, GalleryNotFound, SubjectNotFound
from app.gallery.faiss_index import FaissIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import EMBEDDING_SIZE, embedding, new_face


def followed(store: GalleryStore) -> FaissIndex:
    """An index that has taken in all that was written."""
    index = FaissIndex(EMBEDDING_SIZE)
    index.apply(store.changes(0))
    return index


def found(store: GalleryStore, seed: int) -> str:
    """The subject whose face is the one of the photograph `seed`."""
    [[candidate]] = followed(store).search("default", embedding(seed)[None], 1)
    assert candidate.distance == 0
    return candidate.subject_id


def test_all_faces_come_in_pages_the_oldest_first(store: GalleryStore) -> None:
    store.create_gallery("other")
    store.add("other", "x", [new_face(9)])
    written = [
        (store.add("default", subject, [new_face(seed)]).faces[0].face_id, subject)
        for seed, subject in enumerate(["b", "a", "b", "c"])
    ]
    pages = [store.collection("default", offset=offset, limit=3) for offset in (0, 3, 6)]
    assert [(face.face_id, face.subject_id) for faces, _ in pages for face in faces] == written
    assert {total for _, total in pages} == {4}
    faces, total = store.collection("default", "b")
    assert ([face.face_id for face in faces], total) == ([written[0][0], written[2][0]], 2)
    assert store.collection("default", "nobody") == ([], 0)


def test_a_new_id_whose_last_bearers_time_is_over_brings_nobody_into_that_end(store: GalleryStore) -> None:
    store.add("default", "old", [new_face(1)], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    store.add("default", "a", [new_face(2)])
    store.rename_subject("default", "a", "old")
    assert store.erase_expired() is None
    assert found(store, 2) == "old"
    assert store.subject("default", "old").faces == 1


def test_who_is_over_is_given_no_new_id(store: GalleryStore) -> None:
    store.add("default", "over", [new_face(1)], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    store.add("default", "b", [new_face(2)])
    for new_id in ("b", "c"):
        with pytest.raises(SubjectNotFound):
            store.rename_subject("default", "over", new_id)
    assert store.subject("default", "b").faces == 1


@pytest.mark.parametrize("new_id", [".", "..", ""])
def test_an_id_that_no_path_can_hold_is_no_new_one(store: GalleryStore, new_id: str) -> None:
    store.add("default", "a", [new_face(1)])
    with pytest.raises(BadRequest):
        store.rename_subject("default", "a", new_id)
    store.add("default", "..", [new_face(2)])  # as a gallery of before may hold
    assert store.remove_subject("default", "..").faces == 1


def test_an_erased_face_is_in_no_page(store: GalleryStore) -> None:
    one, two = store.add("default", "a", [new_face(1), new_face(2)]).faces
    store.remove_face("default", one.face_id)
    faces, total = store.collection("default")
    assert ([face.face_id for face in faces], total) == ([two.face_id], 1)


def test_a_face_tells_whose_it_is_in_its_own_gallery_alone(store: GalleryStore) -> None:
    [face] = store.add("default", "a", [new_face(1)]).faces
    store.create_gallery("other")
    assert store.subject_of_face("default", face.face_id.upper()) == "a"
    for gallery, face_id in (("other", face.face_id), ("default", "nonsense")):
        with pytest.raises(FaceNotFound):
            store.subject_of_face(gallery, face_id)
    store.remove_face("default", face.face_id)
    with pytest.raises(FaceNotFound):
        store.subject_of_face("default", face.face_id)


def test_a_renamed_subject_keeps_everything_but_its_id(store: GalleryStore) -> None:
    store.add("default", "old", [new_face(1)], name="Ada", metadata={"floor": 3})
    before = store.subject("default", "old")
    revision = store.rename_subject("default", "old", "new")
    after = store.subject("default", "new")
    assert (after.name, after.metadata, after.faces, after.created_at) == ("Ada", {"floor": 3}, 1, before.created_at)
    assert after.updated_at > before.updated_at
    assert revision == store.revision()
    assert found(store, 1) == "new"
    with pytest.raises(SubjectNotFound):
        store.subject("default", "old")


def test_an_index_that_follows_takes_the_new_id_in(store: GalleryStore) -> None:
    store.add("default", "old", [new_face(1)])
    index = followed(store)
    store.rename_subject("default", "old", "new")
    index.apply(store.changes(index.revision))
    [[candidate]] = index.search("default", embedding(1)[None], 5)
    assert candidate.subject_id == "new"


def test_a_subject_renamed_to_an_existing_one_gives_it_its_faces(store: GalleryStore) -> None:
    store.add("default", "one", [new_face(1)], name="One")
    store.add("default", "two", [new_face(2)], name="Two")
    index = followed(store)
    store.rename_subject("default", "one", "two")
    assert [(subject.subject_id, subject.name, subject.faces) for subject in store.subjects("default")] == [
        ("two", "Two", 2)
    ]
    index.apply(store.changes(index.revision))
    assert {candidate.subject_id for candidate in index.search("default", embedding(1)[None], 5)[0]} == {"two"}
    assert (found(store, 1), found(store, 2)) == ("two", "two")
    assert index.state("default").subjects == 1


def test_crops_go_with_the_faces_of_a_merged_subject(store: GalleryStore) -> None:
    crop = FaceCrop(b"webp", ((0.0, 0.0),) * 5)
    [face] = store.add("default", "one", [replace(new_face(1), crop=crop)]).faces
    store.add("default", "two", [new_face(2)])
    store.rename_subject("default", "one", "two")
    assert store.crop("default", face.face_id).webp == b"webp"
    store.remove_subject("default", "two")
    with pytest.raises(FaceNotFound):
        store.crop("default", face.face_id)


def test_merged_subjects_hold_no_more_faces_than_allowed(store: GalleryStore) -> None:
    store.add("default", "one", [new_face(1), new_face(2)])
    store.add("default", "two", [new_face(3)])
    before = store.revision()
    with pytest.raises(BadRequest) as refusal:
        store.rename_subject("default", "one", "two", max_faces=2)
    assert refusal.value.facts == {"faces": 3, "max_faces": 2}
    assert (store.subject("default", "one").faces, store.revision()) == (2, before)


def test_the_same_id_is_no_change_and_a_wrong_one_is_refused(store: GalleryStore) -> None:
    store.add("default", "a", [new_face(1)])
    before = store.revision()
    assert store.rename_subject("default", "a", "a") == before
    with pytest.raises(BadRequest):
        store.rename_subject("default", "a", "b\0")
    with pytest.raises(SubjectNotFound):
        store.rename_subject("default", "nobody", "b")
    assert store.revision() == before


def test_subjects_are_erased_some_at_a_time(store: GalleryStore) -> None:
    store.create_gallery("other")
    store.add("other", "x", [new_face(9)])
    for seed in range(5):
        store.add("default", f"s-{seed}", [new_face(seed), new_face(seed + 10)])
    erased = [store.remove_subjects("default", limit=2) for _ in range(4)]
    assert [(one.subjects, one.faces) for one in erased] == [(2, 4), (2, 4), (1, 2), (0, 0)]
    assert erased[-1].revision == erased[-2].revision == store.revision()
    assert (store.gallery("default").subjects, store.gallery("other").subjects) == (0, 1)
    assert followed(store).search("default", embedding(1)[None], 5) == [[]]
    with pytest.raises(GalleryNotFound):
        store.remove_subjects("nowhere")


def test_the_distance_to_one_face_is_that_of_the_two_vectors(store: GalleryStore) -> None:
    [face] = store.add("default", "a", [new_face(1)]).faces
    store.add("default", "b", [new_face(2)])
    index = followed(store)
    probes = embedding(3)[None]
    [candidate] = index.distances_to("default", face.face_id, probes)
    expected = float(((embedding(1).astype(float) - probes[0].astype(float)) ** 2).sum())
    assert (candidate.subject_id, candidate.face_id) == ("a", face.face_id)
    assert candidate.distance == pytest.approx(expected)
    for unknown in ("00000000-0000-4000-8000-000000000000", "nonsense"):
        with pytest.raises(FaceNotFound):
            index.distances_to("default", unknown, probes)
