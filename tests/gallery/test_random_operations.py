"""Random operations on the store, followed by two indexes, against a plain dict and a loop over it."""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.errors import FaceNotFound, GalleryNotFound, SubjectNotFound
from app.gallery import compressed
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.index import GalleryIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import (
    EMBEDDING_SIZE,
    MODEL_ID,
    KnownFace,
    assert_same_candidates,
    brute_force,
    embedding,
    new_face,
)

GALLERIES = st.sampled_from(["default", "site-b", "site-c"])
SUBJECTS = st.sampled_from(["ada", "bob", "cleo", "dan"])
PHOTOS = st.integers(1, 12)
NAMES = st.sampled_from([None, "Ada", "Bob", "日本"])


def seed(subject: str, photo: int) -> int:
    """No two subjects share a photograph, so no two are equally near."""
    return 100 * ord(subject[0]) + photo


class GalleryMachine(RuleBasedStateMachine):
    """`known` is what the database must hold: gallery -> subject -> name and faces by photograph."""

    migrated_file: Path
    new_index: Callable[[], GalleryIndex]

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = shutil.copy(self.migrated_file, self.folder.name)
        self.engine = open_engine(f"sqlite:///{path}")
        self.store = GalleryStore(self.engine, MODEL_ID)
        self.prompt, self.lazy = self.new_index(), self.new_index()
        self.known: dict[str, dict[str, tuple[str | None, dict[int, str]]]] = {"default": {}}

    def teardown(self) -> None:
        self.catch_up(self.lazy)
        self.compare(self.lazy)
        self.prompt.close()
        self.lazy.close()
        self.engine.dispose()
        self.folder.cleanup()

    def catch_up(self, index: GalleryIndex) -> None:
        GalleryFollower(self.store, index)._catch_up()

    @rule(gallery=GALLERIES, subject=SUBJECTS, photos=st.lists(PHOTOS, min_size=1, max_size=4), name=NAMES)
    def enroll(self, gallery: str, subject: str, photos: list[int], name: str | None) -> None:
        faces = [new_face(seed(subject, photo)) for photo in photos]
        if gallery not in self.known:
            with pytest.raises(GalleryNotFound):
                self.store.add(gallery, subject, faces, name=name)
            return
        old_name, old_faces = self.known[gallery].get(subject, (None, {}))
        enrolled = self.store.add(gallery, subject, faces, name=name)
        assert enrolled.created == (subject not in self.known[gallery])
        told = {photo: face.face_id for photo, face in zip(photos, enrolled.faces, strict=True)}
        assert {photo: told[photo] for photo in told if photo in old_faces} == {
            photo: face for photo, face in old_faces.items() if photo in told
        }
        self.known[gallery][subject] = (name or old_name, old_faces | told)

    @rule(gallery=GALLERIES, subject=SUBJECTS)
    def remove_subject(self, gallery: str, subject: str) -> None:
        try:
            erased = self.store.remove_subject(gallery, subject)
        except (GalleryNotFound, SubjectNotFound):
            assert subject not in self.known.get(gallery, {})
        else:
            _, faces = self.known[gallery].pop(subject)
            assert erased.faces == len(faces)

    @rule(gallery=GALLERIES, subject=SUBJECTS, photo=PHOTOS)
    def remove_face(self, gallery: str, subject: str, photo: int) -> None:
        _, faces = self.known.get(gallery, {}).get(subject, (None, {}))
        face_id = faces.pop(photo, "00000000-0000-0000-0000-000000000000")
        try:
            self.store.remove_face(gallery, face_id)
        except (GalleryNotFound, FaceNotFound):
            assert face_id.startswith("00000000-")

    @rule(gallery=GALLERIES, subject=SUBJECTS, name=NAMES)
    def rename(self, gallery: str, subject: str, name: str | None) -> None:
        try:
            self.store.update_subject(gallery, subject, {"name": name})
        except (GalleryNotFound, SubjectNotFound):
            assert subject not in self.known.get(gallery, {})
        else:
            self.known[gallery][subject] = (name, self.known[gallery][subject][1])

    @rule(gallery=GALLERIES)
    def create_gallery(self, gallery: str) -> None:
        self.store.create_gallery(gallery)
        self.known.setdefault(gallery, {})

    @rule(gallery=GALLERIES)
    def drop_gallery(self, gallery: str) -> None:
        try:
            self.store.drop_gallery(gallery)
        except GalleryNotFound:
            assert gallery not in self.known
        else:
            del self.known[gallery]

    @rule()
    def catch_up_at_last(self) -> None:
        self.catch_up(self.lazy)
        self.compare(self.lazy)

    @invariant()
    def index_is_what_was_done(self) -> None:
        self.catch_up(self.prompt)
        self.compare(self.prompt)

    def compare(self, index: GalleryIndex) -> None:
        assert index.revision == self.store.revision()
        for gallery in {"default", "site-b", "site-c"} - set(self.known):
            with pytest.raises(GalleryNotFound):
                index.state(gallery)
        for gallery, people in self.known.items():
            faces = [
                KnownFace(face_id, subject, name, embedding(seed(subject, photo)))
                for subject, (name, photos) in people.items()
                for photo, face_id in photos.items()
            ]
            [found] = index.search(gallery, embedding(99)[None], 3)
            assert_same_candidates(found, brute_force(faces, embedding(99), 3))
            state = index.state(gallery)
            assert (state.faces, state.subjects) == (len(faces), len({face.subject_id for face in faces}))


@pytest.mark.parametrize("kind", ["exact", "compressed", "milvus"])
def test_any_sequence_of_operations_leaves_the_index_equal_to_brute_force(
    migrated_file: Path, kind: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(compressed, "SEGMENT_ROWS", 4)
    if kind == "milvus":
        new_index, examples, steps = request.getfixturevalue("milvus").index, 3, 15
    else:
        new_index = partial(FaissIndex, EMBEDDING_SIZE, compress_above_faces={"exact": None, "compressed": 3}[kind])
        examples, steps = 15, 25
    own = {"migrated_file": migrated_file, "new_index": staticmethod(new_index)}
    machine: Any = type("Machine", (GalleryMachine,), own)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
