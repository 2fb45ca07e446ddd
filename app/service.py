"""What the service does: verify, identify, enroll. Read this first; it knows nothing of HTTP.

Photographs go through the pipeline to embeddings, embeddings through the searcher to candidates, enrolments through
the store into the database, from where the follower brings them into the index.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from app import clustering, enrolment, thresholds
from app.decisions import DecisionRecorder
from app.domain import (
    ClusteredFace,
    Clustering,
    ClusterMethod,
    Detection,
    Duplicate,
    DuplicatePolicy,
    EmbeddedFace,
    EmbeddedFaces,
    Embedding,
    Enrolment,
    FaceChoice,
    Identification,
    IdentifiedFace,
    SubjectVerification,
    Verification,
    is_match,
    squared_l2,
)
from app.errors import BadInput, BadRequest, DuplicateIdentity, GalleryNotFound, NotFound, NotReady
from app.gallery.checks import check_metadata_size, check_not_expired
from app.records import GalleryRecords
from app.search import GallerySearcher, Search, SearchResult
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.faces.card import ModelCard
    from app.faces.pipeline import FacePipeline
    from app.gallery.answers import EnrolmentAnswers
    from app.gallery.follower import GalleryFollower
    from app.gallery.store import GalleryStore
    from app.keys.keyring import Keyring
    from app.metrics import Metrics

T = TypeVar("T")

DEFAULT_GALLERY = "default"

# Subjects looked at per face when duplicates are sought; the subject's own row may be one of them.
_DUPLICATES_TOP_K = 6


class FaceService:
    """The use cases, over components that the caller opens and closes."""

    def __init__(
        self,
        settings: Settings,
        *,
        pipeline: "FacePipeline",
        searcher: GallerySearcher,
        store: "GalleryStore",
        follower: "GalleryFollower",
        keyring: "Keyring",
        metrics: "Metrics",
        answers: "EnrolmentAnswers",
        database_threads: Executor,
        decisions: DecisionRecorder | None = None,
    ) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.searcher = searcher
        self.store = store
        self.follower = follower
        self.keyring = keyring
        self.metrics = metrics
        self.answers = answers
        self.decisions = decisions or DecisionRecorder()
        self.records = GalleryRecords(
            store,
            follower,
            threads=database_threads,
            index_wait_seconds=settings.index_wait_seconds,
            max_metadata_bytes=settings.max_metadata_bytes,
        )

    @property
    def card(self) -> "ModelCard":
        """The served model's card."""
        return self.pipeline.card

    async def verify(
        self,
        image1: bytes,
        image2: bytes,
        *,
        threshold: float | None = None,
        far: float | None = None,
        choice: FaceChoice = FaceChoice.LARGEST,
    ) -> Verification:
        """Do two photographs show the same face? `threshold` is a squared L2 distance.

        Raises NoFace, SeveralFaces and the other errors of photographs, FarNotSupported, and BadRequest where
        threshold and far are both given.
        """
        started = time.perf_counter()
        limit = self._verification_threshold(threshold, far)
        face1, face2 = await _all_of(self._face(image1, choice, "image1"), self._face(image2, choice, "image2"))
        distance = squared_l2(face1.embedding, face2.embedding)
        answer = Verification(
            verified=is_match(distance, limit.squared_l2),
            distance=distance,
            threshold=limit.squared_l2,
            far=limit.far,
            distance_far=self.card.far_at(distance),
            face1=face1,
            face2=face2,
            took_ms=_took_ms(started, [face1, face2]),
        )
        self.metrics.verified(answer)
        self.decisions.verified(answer)
        return answer

    async def verify_subject(
        self,
        image: bytes,
        subject_id: str,
        *,
        gallery: str = DEFAULT_GALLERY,
        threshold: float | None = None,
        far: float | None = None,
        choice: FaceChoice = FaceChoice.LARGEST,
    ) -> SubjectVerification:
        """Is this the face of an enrolled subject? The nearest of the subject's faces decides.

        Raises what `verify` raises, GalleryNotFound, and SubjectNotFound for a subject without a face in the index.
        """
        started = time.perf_counter()
        limit = self._verification_threshold(threshold, far)
        face = await self._face(image, choice, "image")
        nearest = await self.searcher.nearest_of(gallery, subject_id, face.embedding)
        answer = SubjectVerification(
            verified=is_match(nearest.distance, limit.squared_l2),
            distance=nearest.distance,
            threshold=limit.squared_l2,
            far=limit.far,
            distance_far=self.card.far_at(nearest.distance),
            face=face,
            nearest=nearest,
            gallery=gallery,
            took_ms=_took_ms(started, [face]),
        )
        self.metrics.verified(answer)
        self.decisions.verified(answer, gallery=gallery, subject_id=subject_id)
        return answer

    async def identify(
        self,
        image: bytes,
        *,
        gallery: str = DEFAULT_GALLERY,
        top_k: int = 5,
        max_faces: int = 1,
        threshold: float | None = None,
        fpir: float | None = None,
        min_revision: int | None = None,
    ) -> Identification:
        """Whose faces are these? Up to `top_k` subjects below the threshold, for up to `max_faces` faces (0: all).

        No face in the photograph is an answer. Raises GalleryNotFound, FarNotSupported, BadRequest, the errors of
        photographs, and NotReady where the index does not reach `min_revision` in time.
        """
        started = time.perf_counter()
        self._check_top_k(top_k)
        with _naming("image"):
            faces = await self.pipeline.embed_all(image, max_faces=max_faces)
        if min_revision is not None:
            await self._reach(min_revision)
        found, search_ms = await self._search(gallery, faces, top_k)
        limit = self._identification_threshold(found, threshold, fpir)
        answer = Identification(
            gallery=found.state,
            threshold=limit.squared_l2,
            fpir=limit.fpir,
            calibrated=limit.calibrated,
            faces=_identified(faces, found, limit.squared_l2),
            faces_found=faces[0].faces_found if faces else 0,
            took_ms=_took_ms(started, faces, search=search_ms),
        )
        self.metrics.identified(answer, found.candidates)
        self.decisions.identified(answer, found.candidates)
        return answer

    async def detect(self, image: bytes, *, max_faces: int = 0) -> Detection:
        """The faces of a photograph, largest first; raises the errors of photographs. No face is an answer."""
        with _naming("image"):
            return await self.pipeline.detect(image, max_faces=max_faces)

    async def embed(self, image: bytes, *, max_faces: int = 0) -> EmbeddedFaces:
        """The faces of a photograph with their embeddings; raises the errors of photographs."""
        started = time.perf_counter()
        with _naming("image"):
            faces = await self.pipeline.embed_all(image, max_faces=max_faces)
        return EmbeddedFaces(faces, faces[0].faces_found if faces else 0, _took_ms(started, faces))

    async def cluster(
        self,
        images: Sequence[bytes],
        *,
        method: ClusterMethod = ClusterMethod.AGGLOMERATIVE,
        max_faces: int = 0,
        threshold: float | None = None,
        far: float | None = None,
    ) -> Clustering:
        """Which of the faces in these photographs are of one person? `max_faces` is for each photograph (0: all).

        Photographs that cannot be read are reported. Raises their error when none can, FarNotSupported, and
        BadRequest for more images or faces than allowed.
        """
        started = time.perf_counter()
        limit = self._verification_threshold(threshold, far)
        _check_count("images", len(images), self.settings.max_cluster_images, "max_cluster_images")
        outcomes = await self._embed_each(images, max_faces)
        rows = clustering.image_rows(outcomes)
        faces = [(image, face) for image, found in enumerate(outcomes) for face in clustering.faces(found)]
        _check_count("faces", len(faces), self.settings.max_cluster_faces, "max_cluster_faces", least=0)
        cluster_started = time.perf_counter()
        embeddings = [face.embedding for _, face in faces]
        groups = await asyncio.to_thread(clustering.group_faces, embeddings, limit.squared_l2, method)
        cluster_ms = _ms_since(cluster_started)
        return Clustering(
            groups=[[ClusteredFace(faces[i][0], faces[i][1].face) for i in group] for group in groups],
            images=rows,
            threshold=limit.squared_l2,
            far=limit.far,
            method=method,
            took_ms=_took_ms(started, [face for _, face in faces], cluster=cluster_ms),
        )

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
    ) -> Enrolment:
        """Store a subject's photographs as faces of a gallery, and wait until they can be found here.

        Photographs that cannot be used are turned down one by one. Nothing is stored, and an error raised, when none
        is left, or when the face is another subject's and `on_duplicate` is REJECT (DuplicateIdentity).
        """
        started = time.perf_counter()
        _check_count("images", len(images), self.settings.max_enroll_images, "max_enroll_images")
        check_metadata_size(metadata, self.settings.max_metadata_bytes)
        check_not_expired(expires_at)
        outcomes = await _all_of(*(self._face_or_rejection(image, choice) for image in images))
        faces = enrolment.accepted(outcomes)
        duplicates = await self._duplicates(gallery, subject_id, faces, on_duplicate)
        own = enrolment.own_distances(faces, await self._nearest_known(gallery, subject_id, faces))
        subject = await self.records.in_database(
            self.store.add,
            gallery,
            subject_id,
            enrolment.new_faces(images, outcomes),
            name=name,
            metadata=metadata,
            expires_at=expires_at,
            max_faces=self.settings.max_faces_per_subject,
        )
        indexed = await self.records.until_indexed(subject.revision)
        limit = self._verification_threshold(None, None)
        rows = enrolment.enrolled_images(outcomes, subject, own, limit.squared_l2)
        answer = Enrolment(subject, indexed, rows, duplicates, _took_ms(started, faces))
        self.metrics.enrolled(answer)
        return answer

    async def revision(self) -> int:
        """The last revision that the database committed; raises NotReady where it does not answer."""
        return await self.records.in_database(self.store.revision)

    async def _face(self, image: bytes, choice: FaceChoice, field: str) -> EmbeddedFace:
        with _naming(field):
            return await self.pipeline.embed(image, choice, field=field)

    async def _face_or_rejection(self, image: bytes, choice: FaceChoice) -> enrolment.Outcome:
        try:
            return await self._face(image, choice, "image")
        except BadInput as error:
            return enrolment.Rejected(error)

    async def _embed_each(self, images: Sequence[bytes], max_faces: int) -> list[clustering.Outcome]:
        """Half of the workers at most, so that one large request leaves room for small ones."""
        turns = asyncio.Semaphore(max(1, self.settings.image_workers // 2))

        async def embed(image: bytes) -> clustering.Outcome:
            async with turns:
                try:
                    return await self.pipeline.embed_all(image, max_faces=max_faces)
                except BadInput as error:
                    return clustering.Unread(error)

        return await _all_of(*(embed(image) for image in images))

    async def _reach(self, revision: int) -> None:
        if not await self.follower.reach(revision, self.settings.index_wait_seconds):
            applied = self.follower.lag.applied_revision
            raise NotReady(
                f"this replica is at revision {applied} of the gallery and did not reach {revision} in time",
                field="min_revision",
                revision=applied,
                min_revision=revision,
            )

    async def _search(self, gallery: str, faces: Sequence[EmbeddedFace], top_k: int) -> tuple[SearchResult, float]:
        started = time.perf_counter()
        probes: Embedding = np.zeros((len(faces), self.card.embedding_size), np.float32)
        for row, face in zip(probes, faces, strict=True):
            row[:] = face.embedding
        found = await self.searcher.search(Search(gallery, probes, top_k))
        return found, _ms_since(started)

    async def _nearest_known(self, gallery: str, subject_id: str, faces: Sequence[EmbeddedFace]) -> list[float]:
        """Distance of each face to the subject's nearest one in the index; empty where it has none there."""
        try:
            found = [await self.searcher.nearest_of(gallery, subject_id, face.embedding) for face in faces]
        except NotFound:
            return []
        return [candidate.distance for candidate in found]

    async def _duplicates(
        self, gallery: str, subject_id: str, faces: Sequence[EmbeddedFace], policy: DuplicatePolicy
    ) -> list[Duplicate]:
        """Other subjects that these faces would be identified as."""
        if policy is DuplicatePolicy.ALLOW:
            return []
        try:
            found, _ = await self._search(gallery, faces, _DUPLICATES_TOP_K)
        except GalleryNotFound:  # the index may not have heard of it yet; whether it exists is the store's to say
            return []
        limit = self._identification_threshold(found, None, None)
        others = enrolment.duplicates(found.candidates, subject_id, limit.squared_l2)
        if others and policy is DuplicatePolicy.REJECT:
            raise DuplicateIdentity(
                f"the face already belongs to {others[0].subject_id!r} at distance {others[0].distance:.3f}",
                field="image",
                threshold=limit.squared_l2,
                duplicates=[{"subject_id": other.subject_id, "distance": other.distance} for other in others],
            )
        return others

    def _verification_threshold(self, threshold: float | None, far: float | None) -> thresholds.VerificationThreshold:
        return thresholds.for_verification(self.card, threshold=threshold, far=far, default=self.settings.threshold)

    def _identification_threshold(
        self, found: SearchResult, threshold: float | None, fpir: float | None
    ) -> thresholds.IdentificationThreshold:
        return thresholds.for_identification(
            self.card,
            faces=found.state.faces,
            threshold=threshold,
            fpir=fpir,
            default_fpir=self.settings.fpir,
        )

    def _check_top_k(self, top_k: int) -> None:
        limit = self.settings.max_top_k
        if not 1 <= top_k <= limit:
            raise BadRequest(f"top_k is {top_k}; it must be 1 to {limit}", field="top_k", max_top_k=limit)


@contextmanager
def _naming(field: str) -> "Iterator[None]":
    """Say which photograph an error is about."""
    try:
        yield
    except BadInput as error:
        error.field = error.field or field
        raise


async def _all_of(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Run together; of several failures the first in order is raised, so that the same request gets the same answer."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


def _identified(faces: Sequence[EmbeddedFace], found: SearchResult, threshold: float) -> list[IdentifiedFace]:
    return [
        IdentifiedFace(face.face, [candidate for candidate in row if is_match(candidate.distance, threshold)])
        for face, row in zip(faces, found.candidates, strict=True)
    ]


def _took_ms(started: float, faces: Sequence[EmbeddedFace], **more: float) -> dict[str, float]:
    """Milliseconds by stage and in total; photographs run side by side, so a stage counts its slowest."""
    stages: dict[str, float] = {}
    for face in faces:
        for stage, took in face.took_ms.items():
            stages[stage] = max(stages.get(stage, 0.0), took)
    return stages | more | {"total": _ms_since(started)}


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000.0


def _check_count(of: str, count: int, limit: int, setting: str, *, least: int = 1) -> None:
    if not least <= count <= limit:
        raise BadRequest(
            f"{count} {of} were given; this takes {least} to {limit}", field="image", **{of: count, setting: limit}
        )
