"""Which of the faces in many photographs are of one person?"""

import asyncio
import time
from collections.abc import Callable, Sequence

from app import clustering
from app.domain import ClusteredFace, Clustering, ClusterMethod
from app.errors import BadInput
from app.photographs import Photographs, all_of, check_count, ms_since, took_ms
from app.thresholds import Thresholds, VerificationThreshold


class Clusterer:
    """The use case of `POST /cluster`; most images and faces of a request are bounded."""

    def __init__(
        self, photographs: Photographs, thresholds: Thresholds, *, max_images: int, max_faces: int, at_once: int
    ) -> None:
        """`at_once`: photographs of one request that are worked on together."""
        self._photographs, self._thresholds = photographs, thresholds
        self._max_images, self._max_faces, self._at_once = max_images, max_faces, at_once

    async def cluster(
        self,
        images: Sequence[bytes],
        *,
        method: ClusterMethod = ClusterMethod.AGGLOMERATIVE,
        max_faces: int = 0,
        threshold: float | None = None,
        far: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Clustering:
        """Groups of the faces that are one person. `max_faces` is for each photograph (0: all).
        `progress` is told how many photographs have been read.

        Photographs that cannot be read are reported. Raises their error when none can, FarNotSupported, and
        BadRequest for more images or faces than allowed.
        """
        started = time.perf_counter()
        limit = self.check(images, threshold, far)
        outcomes = await self._embed_each(images, max_faces, progress)
        rows = clustering.image_rows(outcomes)
        faces = [(image, face) for image, found in enumerate(outcomes) for face in clustering.faces(found)]
        check_count("faces", len(faces), self._max_faces, "max_cluster_faces", least=0)
        cluster_started = time.perf_counter()
        embeddings = [face.embedding for _, face in faces]
        groups = await asyncio.to_thread(clustering.group_faces, embeddings, limit.squared_l2, method)
        cluster_ms = ms_since(cluster_started)
        return Clustering(
            groups=[[ClusteredFace(faces[i][0], faces[i][1].face) for i in group] for group in groups],
            images=rows,
            threshold=limit.squared_l2,
            far=limit.far,
            method=method,
            took_ms=took_ms(started, [face for _, face in faces], cluster=cluster_ms),
        )

    def check(self, images: Sequence[bytes], threshold: float | None, far: float | None) -> VerificationThreshold:
        """Raise what can be known without a look at the photographs: BadRequest, FarNotSupported."""
        check_count("images", len(images), self._max_images, "max_cluster_images")
        return self._thresholds.verification(threshold, far)

    async def _embed_each(
        self, images: Sequence[bytes], max_faces: int, progress: Callable[[int], None] | None
    ) -> list[clustering.Outcome]:
        turns = asyncio.Semaphore(self._at_once)
        read = 0

        async def embed(image: bytes) -> clustering.Outcome:
            nonlocal read
            async with turns:
                try:
                    return await self._photographs.faces(image, max_faces=max_faces)
                except BadInput as error:
                    return clustering.Unread(error)
                finally:
                    read += 1
                    if progress is not None:
                        progress(read)

        return await all_of(*(embed(image) for image in images))
