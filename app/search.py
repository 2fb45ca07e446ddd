"""Searches of many requests, run together: one call of the index for all that wait on the same gallery."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.batcher import MicroBatcher
from app.domain import Candidate, EmbeddedFace, Embedding, GalleryState
from app.errors import SamefaceError

if TYPE_CHECKING:
    from app.gallery.index import GalleryIndex


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """`probes`: float32 (n, embedding_size), n may be 0."""

    gallery: str
    probes: Embedding
    top_k: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Candidates of each probe, nearest first, and the gallery they were found in.

    The search saw at least the revision that `state` names.
    """

    state: GalleryState
    candidates: list[list[Candidate]]


class GallerySearcher:
    """Awaitable searches in front of a GalleryIndex."""

    def __init__(self, index: "GalleryIndex", *, max_batch: int, max_queue: int) -> None:
        self.index = index
        self._batcher: MicroBatcher[Search, SearchResult | SamefaceError] = MicroBatcher(
            self._run, name="search", max_batch=max_batch, max_queue=max_queue
        )

    async def search(self, search: Search) -> SearchResult:
        """Raises GalleryNotFound, Overloaded or NotReady."""
        outcome = await self._batcher.ask(search)
        if isinstance(outcome, SamefaceError):
            raise outcome
        return outcome

    async def search_faces(self, gallery: str, faces: Sequence[EmbeddedFace], top_k: int) -> SearchResult:
        """Candidates of each face, of which there may be none. Raises what `search` raises."""
        probes: Embedding = np.zeros((len(faces), self.index.embedding_size), np.float32)
        for row, face in zip(probes, faces, strict=True):
            row[:] = face.embedding
        return await self.search(Search(gallery, probes, top_k))

    async def nearest_of(self, gallery: str, subject_id: str, probe: Embedding) -> Candidate:
        """One subject's face that is nearest to a probe. Raises GalleryNotFound or SubjectNotFound."""
        return await asyncio.to_thread(self.index.nearest_of, gallery, subject_id, probe)

    async def distances_to(self, gallery: str, face_id: str, probes: Embedding) -> list[Candidate]:
        """One face's distance to each probe. Raises GalleryNotFound or FaceNotFound."""
        return await asyncio.to_thread(self.index.distances_to, gallery, face_id, probes)

    @property
    def batch_sizes(self) -> list[int]:
        """How many batches have run of each size, from 0."""
        return self._batcher.batch_sizes

    @property
    def depth(self) -> int:
        """Searches waiting for a batch."""
        return self._batcher.depth

    @property
    def healthy(self) -> bool:
        """Whether the last batch of searches succeeded."""
        return self._batcher.healthy

    def close(self) -> None:
        """Finish accepted searches, then stop the thread."""
        self._batcher.close()

    def _run(self, searches: list[Search]) -> list[SearchResult | SamefaceError]:
        together: dict[tuple[str, int], list[int]] = defaultdict(list)
        for position, search in enumerate(searches):
            together[search.gallery, search.top_k].append(position)
        outcomes: dict[int, SearchResult | SamefaceError] = {}
        for (gallery, top_k), positions in together.items():
            group = [searches[position].probes for position in positions]
            outcomes |= zip(positions, self._search_gallery(gallery, top_k, group), strict=True)
        return [outcomes[position] for position in range(len(searches))]

    def _search_gallery(
        self, gallery: str, top_k: int, group: Sequence[Embedding]
    ) -> Sequence[SearchResult | SamefaceError]:
        # What is wrong with one gallery is no fault of the searches of another.
        try:
            state = self.index.state(gallery)
            rows = iter(self.index.search(gallery, np.concatenate(group), top_k))
        except SamefaceError as error:
            return [error] * len(group)
        return [SearchResult(state, [next(rows) for _ in probes]) for probes in group]
