"""The use cases on real photographs, with the real model, database and index."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from app.domain import DuplicatePolicy, Enrolment, FaceChoice, NewFace, squared_l2
from app.errors import (
    BadRequest,
    DuplicateIdentity,
    FarNotSupported,
    GalleryNotFound,
    LowQuality,
    NoFace,
    NotReady,
    SeveralFaces,
    UnsupportedFormat,
)
from app.service import FaceService
from tests.conftest import reconfigured

NOT_AN_IMAGE = b"this is no photograph"


def enroll(service: FaceService, gallery: str, subject_id: str, *images: bytes, **options: Any) -> Enrolment:
    return asyncio.run(service.enroll(subject_id, images, gallery=gallery, **options))


def subjects(service: FaceService, gallery: str) -> list[str]:
    return [subject.subject_id for subject in service.store.subjects(gallery)]


class TestVerify:
    def test_two_photographs_of_one_person_are_verified(
        self, service: FaceService, portrait: bytes, portrait_again: bytes
    ) -> None:
        answer = asyncio.run(service.verify(portrait, portrait_again))
        assert answer.verified
        assert answer.distance < answer.threshold == service.card.default_threshold
        assert answer.far == service.card.default_far

    def test_the_distance_is_that_of_the_two_embeddings(
        self, service: FaceService, portrait: bytes, portrait_again: bytes
    ) -> None:
        answer = asyncio.run(service.verify(portrait, portrait_again))
        alone = [asyncio.run(service.pipeline.embed(image)).embedding for image in (portrait, portrait_again)]
        assert answer.distance == pytest.approx(squared_l2(*alone), abs=1e-5)

    def test_the_same_bytes_are_at_distance_zero(self, service: FaceService, portrait: bytes) -> None:
        assert asyncio.run(service.verify(portrait, portrait)).distance == pytest.approx(0, abs=1e-6)

    def test_an_explicit_threshold_decides_strictly_below(self, service: FaceService, portrait: bytes) -> None:
        assert not asyncio.run(service.verify(portrait, portrait, threshold=0.0)).verified
        assert asyncio.run(service.verify(portrait, portrait, threshold=1.1)).verified

    def test_a_rate_decides_by_the_cards_threshold(self, service: FaceService, portrait: bytes) -> None:
        far = service.card.calibration.operating_points[0].far
        answer = asyncio.run(service.verify(portrait, portrait, far=far))
        assert (answer.far, answer.threshold) == (far, service.card.threshold_at_far(far))

    def test_a_rate_beyond_the_calibration_is_refused(self, service: FaceService, portrait: bytes) -> None:
        with pytest.raises(FarNotSupported):
            asyncio.run(service.verify(portrait, portrait, far=1e-12))

    def test_the_first_photograph_at_fault_is_the_one_named(
        self, service: FaceService, portrait: bytes, no_face: bytes
    ) -> None:
        for images, field in [((no_face, no_face), "image1"), ((portrait, no_face), "image2")]:
            with pytest.raises(NoFace) as refusal:
                asyncio.run(service.verify(*images))
            assert refusal.value.field == field
        with pytest.raises(UnsupportedFormat) as unread:
            asyncio.run(service.verify(portrait, NOT_AN_IMAGE))
        assert unread.value.field == "image2"

    def test_several_faces_are_an_error_only_where_one_is_demanded(
        self, service: FaceService, portrait: bytes, two_faces: bytes
    ) -> None:
        answer = asyncio.run(service.verify(portrait, two_faces))
        assert answer.face2.faces_found == 2
        with pytest.raises(SeveralFaces) as refusal:
            asyncio.run(service.verify(portrait, two_faces, choice=FaceChoice.ONLY))
        assert refusal.value.facts["faces_found"] == 2

    def test_every_stage_is_timed(self, service: FaceService, portrait: bytes) -> None:
        took_ms = asyncio.run(service.verify(portrait, portrait)).took_ms
        assert {"decode", "detect", "embed", "total"} <= took_ms.keys()
        assert all(0 <= took <= took_ms["total"] for took in took_ms.values())


class TestIdentify:
    def test_an_enrolled_person_is_found_in_another_photograph(
        self, service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enrolment = enroll(service, gallery, "collins", portrait, name="Eileen Collins")
        answer = asyncio.run(service.identify(portrait_again, gallery=gallery))
        (face,) = answer.faces
        assert face.status == "identified"
        assert [(c.subject_id, c.name, c.rank) for c in face.candidates] == [("collins", "Eileen Collins", 1)]
        assert face.candidates[0].face_id == enrolment.images[0].face_id
        assert answer.gallery.revision >= enrolment.subject.revision
        assert (answer.gallery.subjects, answer.gallery.faces) == (1, 1)

    def test_nobody_is_known_in_an_empty_gallery(self, service: FaceService, gallery: str, portrait: bytes) -> None:
        answer = asyncio.run(service.identify(portrait, gallery=gallery))
        assert [face.status for face in answer.faces] == ["unknown"]

    def test_a_candidate_at_or_above_the_threshold_is_not_named(
        self, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        enroll(service, gallery, "collins", portrait)
        answer = asyncio.run(service.identify(portrait, gallery=gallery, threshold=0.0))
        assert [(face.status, face.candidates) for face in answer.faces] == [("unknown", [])]

    def test_no_face_is_an_answer(self, service: FaceService, gallery: str, no_face: bytes) -> None:
        answer = asyncio.run(service.identify(no_face, gallery=gallery))
        assert (answer.faces, answer.faces_found) == ([], 0)

    @pytest.mark.parametrize(("max_faces", "looked_up"), [(1, 1), (2, 2), (0, 2)])
    def test_as_many_faces_are_looked_up_as_are_asked_for_largest_first(
        self, service: FaceService, gallery: str, two_faces: bytes, max_faces: int, looked_up: int
    ) -> None:
        answer = asyncio.run(service.identify(two_faces, gallery=gallery, max_faces=max_faces))
        areas = [face.face.box.area for face in answer.faces]
        assert len(areas) == looked_up
        assert areas == sorted(areas, reverse=True)
        assert answer.faces_found == 2

    def test_the_threshold_follows_the_size_of_the_gallery(
        self, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        small = asyncio.run(service.identify(portrait, gallery=gallery))
        fill(service, gallery, 50)
        large = asyncio.run(service.identify(portrait, gallery=gallery))
        assert large.gallery.faces == 50
        assert large.threshold == pytest.approx(service.card.threshold_at_far(service.settings.fpir / 50))
        assert large.threshold < small.threshold

    def test_a_rate_that_this_gallery_is_too_large_for_is_refused(
        self, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        with pytest.raises(FarNotSupported):
            asyncio.run(service.identify(portrait, gallery=gallery, fpir=1e-12))

    def test_an_unknown_gallery_is_named(self, service: FaceService, portrait: bytes) -> None:
        with pytest.raises(GalleryNotFound) as refusal:
            asyncio.run(service.identify(portrait, gallery="nowhere"))
        assert refusal.value.facts["gallery"] == "nowhere"

    def test_a_threshold_and_a_rate_are_refused_before_any_work_is_done(self, service: FaceService) -> None:
        with pytest.raises(BadRequest) as refusal:
            asyncio.run(service.identify(NOT_AN_IMAGE, threshold=1.0, fpir=0.01, min_revision=2**40))
        assert refusal.value.field == "fpir"

    @pytest.mark.parametrize("top_k", [-1, 0, 101, 10**30])
    def test_top_k_is_bounded(self, service: FaceService, portrait: bytes, top_k: int) -> None:
        with pytest.raises(BadRequest) as refusal:
            asyncio.run(service.identify(portrait, top_k=top_k))
        assert refusal.value.field == "top_k"


class TestEnroll:
    def test_each_photograph_is_answered_for(
        self,
        service: FaceService,
        gallery: str,
        portrait: bytes,
        portrait_again: bytes,
        no_face: bytes,
        two_faces: bytes,
    ) -> None:
        enrolment = enroll(service, gallery, "collins", no_face, portrait, two_faces, portrait_again, NOT_AN_IMAGE)
        assert [row.image for row in enrolment.images] == [0, 1, 2, 3, 4]
        assert [row.status for row in enrolment.images] == ["rejected", "enrolled", "rejected", "enrolled", "rejected"]
        assert [row.reasons for row in enrolment.images if row.status == "rejected"] == [
            ("no_face",),
            ("several_faces",),
            ("unsupported_format",),
        ]
        assert enrolment.images[2].measured["faces_found"] == 2
        stored = {face.face_id for face in service.store.faces(gallery, "collins")}
        assert stored == {row.face_id for row in enrolment.images} - {None}
        assert enrolment.indexed
        assert enrolment.subject.created

    def test_the_largest_of_several_faces_is_taken_where_that_is_asked_for(
        self, service: FaceService, gallery: str, two_faces: bytes
    ) -> None:
        enrolment = enroll(service, gallery, "collins", two_faces, choice=FaceChoice.LARGEST)
        assert [row.status for row in enrolment.images] == ["enrolled"]

    def test_where_no_photograph_can_be_used_nothing_is_stored(
        self, service: FaceService, gallery: str, no_face: bytes, two_faces: bytes
    ) -> None:
        with pytest.raises(NoFace):
            enroll(service, gallery, "nobody", no_face)
        with pytest.raises(NoFace) as alike:
            enroll(service, gallery, "nobody", no_face, no_face)
        assert [row["image"] for row in listed(alike.value.facts["images"])] == [0, 1]
        with pytest.raises(LowQuality) as mixed:
            enroll(service, gallery, "nobody", no_face, two_faces)
        assert [row["reasons"] for row in listed(mixed.value.facts["images"])] == [["no_face"], ["several_faces"]]
        assert subjects(service, gallery) == []

    def test_the_same_photograph_again_is_no_second_face(
        self, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        first = enroll(service, gallery, "collins", portrait)
        again = enroll(service, gallery, "collins", portrait, portrait)
        assert not again.subject.created
        assert [row.existed for row in again.images] == [True, True]
        assert {row.face_id for row in again.images} == {first.images[0].face_id}
        assert len(service.store.faces(gallery, "collins")) == 1

    def test_a_face_of_another_subject_is_reported(
        self, service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enroll(service, gallery, "collins", portrait)
        enrolment = enroll(service, gallery, "impostor", portrait_again)
        assert [duplicate.subject_id for duplicate in enrolment.duplicates] == ["collins"]
        assert subjects(service, gallery) == ["collins", "impostor"]

    def test_a_subjects_own_face_is_no_duplicate(
        self, service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enroll(service, gallery, "collins", portrait)
        assert enroll(service, gallery, "collins", portrait_again).duplicates == []

    def test_a_duplicate_is_refused_where_that_is_asked_for_and_nothing_is_stored(
        self, service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enroll(service, gallery, "collins", portrait)
        with pytest.raises(DuplicateIdentity) as refusal:
            enroll(service, gallery, "impostor", portrait_again, on_duplicate=DuplicatePolicy.REJECT)
        assert [row["subject_id"] for row in listed(refusal.value.facts["duplicates"])] == ["collins"]
        assert subjects(service, gallery) == ["collins"]

    def test_of_two_at_once_that_refuse_duplicates_one_is_enrolled(
        self, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        async def both() -> list[Any]:
            enrolled = (
                service.enroll(name, [portrait], gallery=gallery, on_duplicate=DuplicatePolicy.REJECT)
                for name in ("ada", "bob")
            )
            return await asyncio.gather(*enrolled, return_exceptions=True)

        kinds = [type(one) for one in asyncio.run(both())]
        assert sorted(kinds, key=str) == sorted([Enrolment, DuplicateIdentity], key=str)
        assert len(subjects(service, gallery)) == 1

    def test_while_searches_are_behind_the_database_nobody_can_tell_a_duplicate(
        self, service: FaceService, gallery: str, portrait: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as behind:
            behind.setattr(service.records, "_index_wait_seconds", 0.0)
            behind.setattr(type(service.follower), "wake", lambda _: None)
            service.store.add(gallery, "ada", [NewFace(np.eye(128, dtype=np.float32)[0], "ab" * 32)])
            with pytest.raises(NotReady, match="cannot be told yet"):
                enroll(service, gallery, "bob", portrait, on_duplicate=DuplicatePolicy.REJECT)
        assert subjects(service, gallery) == ["ada"]

    def test_duplicates_are_not_looked_for_where_they_are_allowed(
        self, service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes
    ) -> None:
        enroll(service, gallery, "collins", portrait)
        enrolment = enroll(service, gallery, "twin", portrait_again, on_duplicate=DuplicatePolicy.ALLOW)
        assert enrolment.duplicates == []

    def test_the_number_of_photographs_is_bounded(self, service: FaceService, gallery: str, portrait: bytes) -> None:
        for images in ([], [portrait] * 11):
            with pytest.raises(BadRequest) as refusal:
                enroll(service, gallery, "collins", *images)
            assert refusal.value.field == "image"
        assert subjects(service, gallery) == []

    def test_metadata_is_bounded_before_any_work_is_done(
        self, service: FaceService, gallery: str, portrait: bytes
    ) -> None:
        with pytest.raises(BadRequest) as refusal:
            enroll(service, gallery, "collins", portrait, metadata={"note": "é" * 2048})
        assert refusal.value.field == "metadata"
        assert enroll(service, gallery, "collins", portrait, metadata={"note": "é" * 2000}).subject.created

    def test_an_unknown_gallery_is_not_made_in_passing(self, service: FaceService, portrait: bytes) -> None:
        with pytest.raises(GalleryNotFound):
            enroll(service, "nowhere", "collins", portrait)


def test_many_requests_at_once_get_their_own_answers(
    service: FaceService, gallery: str, portrait: bytes, portrait_again: bytes, two_faces: bytes, no_face: bytes
) -> None:
    async def scenario() -> Sequence[object]:
        pair = [service.verify(portrait, portrait_again) for _ in range(6)]
        same = [service.verify(portrait, portrait) for _ in range(6)]
        found = [service.identify(two_faces, gallery=gallery, max_faces=0) for _ in range(6)]
        none = [service.verify(portrait, no_face) for _ in range(6)]
        return await asyncio.gather(*pair, *same, *found, *none, return_exceptions=True)

    answers: Any = asyncio.run(scenario())
    assert len({round(answer.distance, 4) for answer in answers[:6]}) == 1
    assert all(answer.distance == pytest.approx(0, abs=1e-5) for answer in answers[6:12])
    assert all(len(answer.faces) == 2 for answer in answers[12:18])
    assert all(isinstance(answer, NoFace) for answer in answers[18:])


def test_a_configured_threshold_stands_in_for_the_cards(service: FaceService, portrait: bytes) -> None:
    configured = reconfigured(service, threshold=1.1)
    assert asyncio.run(configured.verify(portrait, portrait)).threshold == 1.1


def fill(service: FaceService, gallery: str, faces: int) -> None:
    """Enroll strangers that no photograph is needed for: random unit vectors, nearly at right angles to any face."""
    random = np.random.default_rng(0)
    for number in range(faces):
        vector = random.normal(size=service.card.embedding_size)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        revision = service.store.add(gallery, f"stranger-{number}", [NewFace(unit, f"{number:064x}")]).revision
    assert service.follower.wait_for(revision, 10)


def listed(fact: object) -> list[Any]:
    assert isinstance(fact, list)
    return fact
