"""What the service does: verify, identify, enroll. Read this first; it knows nothing of HTTP.

Photographs go through the pipeline to embeddings, embeddings through the searcher to candidates, enrolments through
the store into the database, from where the follower brings them into the index. Enrolment, grouping and the
decision of a verification have modules of their own: `app.enroller`, `app.clusterer`, `app.verifier`.
"""

import time
from collections.abc import Awaitable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from app.cluster_jobs import ClusterJob, ClusterJobs, Progress
from app.clusterer import Clusterer
from app.decisions import DecisionRecorder
from app.domain import (
    DEFAULT_GALLERY,
    Clustering,
    ClusterMethod,
    Detection,
    EmbeddedFace,
    EmbeddedFaces,
    FaceChoice,
    Identification,
    IdentifiedFace,
    SubjectVerification,
    Verification,
    is_match,
)
from app.enroller import Enroller
from app.errors import BadRequest, NotReady
from app.photographs import Photographs, all_of, ms_since, took_ms
from app.records import GalleryRecords
from app.search import GallerySearcher, SearchResult
from app.settings import Settings
from app.thresholds import Thresholds, at_most_one
from app.verifier import Verifier

if TYPE_CHECKING:
    from app.faces.card import ModelCard
    from app.faces.pipeline import FacePipeline
    from app.gallery.answers import EnrolmentAnswers
    from app.gallery.follower import GalleryFollower
    from app.gallery.store import GalleryStore
    from app.keys.keyring import Keyring
    from app.metrics import Metrics


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
        self.photographs = Photographs(pipeline)
        self.thresholds = Thresholds(pipeline.card, default=settings.threshold, default_fpir=settings.fpir)
        self.verifier = Verifier(pipeline.card, metrics, self.decisions)
        enroller = Enroller(
            settings,
            photographs=self.photographs,
            thresholds=self.thresholds,
            searcher=searcher,
            records=self.records,
            answers=answers,
            metrics=metrics,
        )
        self._clusterer = Clusterer(
            self.photographs,
            self.thresholds,
            max_images=settings.max_cluster_images,
            max_faces=settings.max_cluster_faces,
            # Half of the workers at most, so that one large request leaves room for small ones.
            at_once=max(1, settings.image_workers // 2),
        )
        self.enroll = enroller.enroll
        self.cluster = self._clusterer.cluster
        self.cluster_jobs = ClusterJobs(
            max_jobs=settings.max_cluster_jobs, keep_seconds=settings.cluster_job_keep_seconds
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
        limit = self.thresholds.verification(threshold, far)
        face1, face2 = await all_of(
            self.photographs.face(image1, choice, "image1"), self.photographs.face(image2, choice, "image2")
        )
        return self.verifier.pair(face1, face2, limit, took_ms(started, [face1, face2]))

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
        limit = self.thresholds.verification(threshold, far)
        face = await self.photographs.face(image, choice)
        nearest = await self.searcher.nearest_of(gallery, subject_id, face.embedding)
        return self.verifier.subject(face, nearest, gallery, limit, took_ms(started, [face]))

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
        min_confidence: float = 0.0,
    ) -> Identification:
        """Whose faces are these? Up to `top_k` subjects below the threshold, for up to `max_faces` faces (0: all).

        No face in the photograph is an answer. Raises GalleryNotFound, FarNotSupported, BadRequest, the errors of
        photographs, and NotReady where the index does not reach `min_revision` in time.

        Here and below, faces of which the detector is less sure than `min_confidence`, 0 to 1, are passed over.
        """
        started = time.perf_counter()
        self._check_top_k(top_k)
        at_most_one("threshold", threshold, "fpir", fpir)
        faces = await self.photographs.faces(image, max_faces=max_faces, min_confidence=min_confidence)
        if min_revision is not None:
            await self._reach(min_revision)
        searched = time.perf_counter()
        found = await self.searcher.search_faces(gallery, faces, top_k)
        search_ms = ms_since(searched)
        limit = self.thresholds.identification(found.state.faces, threshold, fpir)
        answer = Identification(
            gallery=found.state,
            threshold=limit.squared_l2,
            fpir=limit.fpir,
            calibrated=limit.calibrated,
            faces=_identified(faces, found, limit.squared_l2),
            faces_found=faces[0].faces_found if faces else 0,
            took_ms=took_ms(started, faces, search=search_ms),
        )
        self.metrics.identified(answer, found.candidates)
        self.decisions.identified(answer, found.candidates)
        return answer

    async def detect(self, image: bytes, *, max_faces: int = 0, min_confidence: float = 0.0) -> Detection:
        """The faces of a photograph, largest first; raises the errors of photographs. No face is an answer."""
        return await self.photographs.detect(image, max_faces=max_faces, min_confidence=min_confidence)

    async def embed(self, image: bytes, *, max_faces: int = 0, min_confidence: float = 0.0) -> EmbeddedFaces:
        """The faces of a photograph with their embeddings; raises the errors of photographs."""
        started = time.perf_counter()
        faces = await self.photographs.faces(image, max_faces=max_faces, min_confidence=min_confidence)
        return EmbeddedFaces(faces, faces[0].faces_found if faces else 0, took_ms(started, faces))

    def start_cluster_job(
        self,
        images: Sequence[bytes],
        *,
        owner: str | None,
        method: ClusterMethod = ClusterMethod.AGGLOMERATIVE,
        max_faces: int = 0,
        threshold: float | None = None,
        far: float | None = None,
    ) -> ClusterJob:
        """Group faces later, for the key `owner` to ask after. Raises Overloaded, FarNotSupported or BadRequest."""
        self._clusterer.check(images, threshold, far)

        def work(progress: Progress) -> Awaitable[Clustering]:
            return self.cluster(
                images, method=method, max_faces=max_faces, threshold=threshold, far=far, progress=progress
            )

        return self.cluster_jobs.start(work, images=len(images), owner=owner)

    async def revision(self) -> int:
        """The last revision that the database committed; raises NotReady where it does not answer."""
        return await self.records.in_database(self.store.revision)

    async def _reach(self, revision: int) -> None:
        if not await self.follower.reach(revision, self.settings.index_wait_seconds):
            applied = self.follower.lag.applied_revision
            raise NotReady(
                f"this replica is at revision {applied} of the gallery and did not reach {revision} in time",
                field="min_revision",
                revision=applied,
                min_revision=revision,
            )

    def _check_top_k(self, top_k: int) -> None:
        limit = self.settings.max_top_k
        if not 1 <= top_k <= limit:
            raise BadRequest(f"top_k is {top_k}; it must be 1 to {limit}", field="top_k", max_top_k=limit)


def _identified(faces: Sequence[EmbeddedFace], found: SearchResult, threshold: float) -> list[IdentifiedFace]:
    return [
        IdentifiedFace(face.face, [c for c in row if is_match(c.distance, threshold)], row, face.embedding)
        for face, row in zip(faces, found.candidates, strict=True)
    ]
