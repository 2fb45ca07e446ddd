"""Store a subject's photographs as faces of a gallery."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from app import enrolment
from app.domain import (
    DEFAULT_GALLERY,
    Duplicate,
    DuplicatePolicy,
    EmbeddedFace,
    EnrolledSubject,
    Enrolment,
    FaceChoice,
)
from app.errors import BadInput, DuplicateIdentity, GalleryNotFound, NotFound, NotReady
from app.gallery.checks import check_metadata_size, check_not_expired
from app.photographs import Photographs, all_of, check_count, took_ms
from app.records import GalleryRecords
from app.search import GallerySearcher
from app.settings import Settings
from app.thresholds import Thresholds

if TYPE_CHECKING:
    import sqlalchemy as sa

    from app.gallery.answers import EnrolmentAnswers, RepeatableEnrolment
    from app.metrics import Metrics

logger = logging.getLogger(__name__)

# Subjects looked at per face when duplicates are sought; the subject's own row may be one of them.
_DUPLICATES_TOP_K = 6


class Enroller:
    """The use case of `POST /gallery/enroll`."""

    def __init__(
        self,
        settings: Settings,
        *,
        photographs: Photographs,
        thresholds: Thresholds,
        searcher: GallerySearcher,
        records: GalleryRecords,
        answers: "EnrolmentAnswers",
        metrics: "Metrics",
    ) -> None:
        self._settings, self._metrics = settings, metrics
        self._photographs, self._thresholds = photographs, thresholds
        self._searcher, self._records, self._answers = searcher, records, answers
        self._rejecting = asyncio.Lock()

    async def enroll(
        self,
        subject_id: str,
        images: Sequence[bytes],
        *,
        gallery: str = DEFAULT_GALLERY,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expires_at: datetime | None = None,
        choice: FaceChoice = FaceChoice.ONLY,
        on_duplicate: DuplicatePolicy = DuplicatePolicy.REPORT,
        min_confidence: float = 0.0,
        repeatable: "RepeatableEnrolment | None" = None,
    ) -> Enrolment:
        """Store a subject's photographs as faces of a gallery, and wait until they can be found here.

        Photographs that cannot be used are turned down one by one. Nothing is stored, and an error raised, when none
        is left, or when the face is another subject's and `on_duplicate` is REJECT (DuplicateIdentity). Faces of which
        the detector is less sure than `min_confidence`, 0 to 1, are passed over. What is answered to a `repeatable`
        enrolment is kept with it; AnsweredMeanwhile is raised where it came twice at once.
        """
        started = time.perf_counter()
        check_count("images", len(images), self._settings.max_enroll_images, "max_enroll_images")
        check_metadata_size(metadata, self._settings.max_metadata_bytes)
        check_not_expired(expires_at)
        outcomes = await all_of(*(self._face_or_rejection(image, choice, min_confidence) for image in images))
        faces = enrolment.accepted(outcomes)
        limit = self._thresholds.verification()
        async with self._turn(on_duplicate):
            duplicates = await self._duplicates(gallery, subject_id, faces, on_duplicate)
            known = await self._nearest_known(gallery, subject_id, faces)

            def answer(stored: EnrolledSubject, *, indexed: bool) -> Enrolment:
                # Of a new subject nothing was known: what the index had was another's whose time was over.
                own = enrolment.own_distances(faces, [] if stored.created else known)
                rows = enrolment.enrolled_images(outcomes, stored, own, limit.squared_l2)
                return Enrolment(stored, indexed, rows, duplicates, took_ms(started, faces))

            subject = await self._records.in_database(
                self._records.store.add,
                gallery,
                subject_id,
                enrolment.new_faces(images, outcomes),
                name=name,
                metadata=metadata,
                expires_at=expires_at,
                max_faces=self._settings.max_faces_per_subject,
                keep=self._keeping(repeatable, lambda stored: answer(stored, indexed=False)),
            )
            enrolled = answer(subject, indexed=await self._records.until_indexed(subject.revision))
        self._metrics.enrolled(enrolled)
        return enrolled

    @asynccontextmanager
    async def _turn(self, policy: DuplicatePolicy) -> AsyncIterator[None]:
        """Where duplicates are refused, one enrolment after the other, each after all before it can be found here.

        Raises NotReady where searches here do not see in time what the database has.
        """
        if policy is not DuplicatePolicy.REJECT:
            yield
            return
        async with self._rejecting:
            newest = await self._records.in_database(self._records.store.revision)
            if not await self._records.until_indexed(newest):
                raise NotReady(
                    "whether the face is another subject's cannot be told yet, since searches here are behind the "
                    "database; try again later"
                )
            yield

    def _keeping(
        self, repeatable: "RepeatableEnrolment | None", answer: Callable[[EnrolledSubject], Enrolment]
    ) -> "Callable[[sa.Connection, int, EnrolledSubject], None] | None":
        """What keeps the answer inside the transaction of the enrolment."""
        if repeatable is None:
            return None
        answer_of = repeatable.answer_of
        return partial(self._answers.keep, repeatable.request, lambda stored: answer_of(answer(stored)))

    async def _face_or_rejection(self, image: bytes, choice: FaceChoice, min_confidence: float) -> enrolment.Outcome:
        try:
            keep_crop = self._settings.store_crops
            face = await self._photographs.face(image, choice, keep_crop=keep_crop, min_confidence=min_confidence)
            outcome = enrolment.gated(face)
        except BadInput as error:
            outcome = enrolment.Rejected(error)
        if isinstance(outcome, enrolment.Rejected):
            self._metrics.rejected(outcome.reasons)
        return outcome

    async def _nearest_known(self, gallery: str, subject_id: str, faces: Sequence[EmbeddedFace]) -> list[float]:
        """Distance of each face to the subject's nearest one in the index; empty where it has none or cannot answer."""
        try:
            found = [await self._searcher.nearest_of(gallery, subject_id, face.embedding) for face in faces]
        except (NotFound, NotReady):
            return []
        return [candidate.distance for candidate in found]

    async def _duplicates(
        self, gallery: str, subject_id: str, faces: Sequence[EmbeddedFace], policy: DuplicatePolicy
    ) -> list[Duplicate]:
        """Other subjects that these faces would be identified as.

        Raises NotReady where the index cannot answer and they are to be refused.
        """
        if policy is DuplicatePolicy.ALLOW:
            return []
        try:
            found = await self._searcher.search_faces(gallery, faces, _DUPLICATES_TOP_K)
        except GalleryNotFound:  # the index may not have heard of it yet; whether it exists is the store's to say
            return []
        except NotReady as error:
            if policy is DuplicatePolicy.REJECT:
                raise
            logger.warning("an enrolment is stored without a look for duplicates: %s", error)
            return []
        limit = self._thresholds.identification(found.state.faces)
        others = enrolment.duplicates(found.candidates, subject_id, limit.squared_l2)
        if others and policy is DuplicatePolicy.REJECT:
            raise DuplicateIdentity(
                f"the face already belongs to {others[0].subject_id!r} at distance {others[0].distance:.3f}",
                field="image",
                threshold=limit.squared_l2,
                duplicates=[{"subject_id": other.subject_id, "distance": other.distance} for other in others],
            )
        return others
