"""One gallery as an immutable state: exact search by FAISS over blocks, and the state after some changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from uuid import UUID

import faiss
import numpy as np
from numpy.typing import NDArray

from app.domain import Candidate, Embedding, squared_l2
from app.gallery.blocks import BLOCK_ROWS, FaceBlock, appended, without
from app.gallery.changes import FaceChange

Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FlatGallery:
    """Faces in blocks, and how many subjects they are of.

    `newest_id` and `newest_key` are the largest id and subject key ever held. The database counts upwards, so most
    new rows lie above them and need not be looked for.
    """

    name: str
    blocks: tuple[FaceBlock, ...] = ()
    faces: int = 0
    subjects: int = 0
    newest_id: int = 0
    newest_key: int = 0

    def with_changes(self, changes: Sequence[FaceChange]) -> "FlatGallery":
        """The state in which each changed id is as `changes` say, whatever it was before; no id may come twice.

        Rows that changed are removed and then added again, each in one go.
        """
        kept, removed_keys = self._without(_sorted_unique(change.id for change in changes))
        live = [change for change in changes if change.vector is not None]
        live_keys = _sorted_unique(change.subject_key or 0 for change in live)
        # Of the subjects at hand, those that other faces keep in the gallery.
        others = _held(kept, np.union1d(removed_keys, live_keys[live_keys <= self.newest_key]))
        return FlatGallery(
            self.name,
            tuple(appended(kept, FaceBlock.from_changes(live)) if live else kept),
            faces=sum(block.count for block in kept) + len(live),
            subjects=self.subjects + len(np.union1d(others, live_keys)) - len(np.union1d(others, removed_keys)),
            newest_id=max([self.newest_id, *(change.id for change in live)]),
            newest_key=max(self.newest_key, *live_keys[-1:].tolist(), 0),
        )

    def search(self, probes: Embedding, top_k: int) -> list[list[Candidate]]:
        """Up to `top_k` subjects for each probe, by the distance of each one's nearest face.

        Many faces of one person crowd the nearest rows, so more rows are asked for until enough subjects are found.
        """
        found: list[list[Candidate]] = [[] for _ in probes]
        pending = list(range(len(probes)))
        rows = min(2 * top_k + 16, self.faces)
        while pending and rows:
            for probe, positions in zip(pending, self.nearest(probes[pending], rows), strict=True):
                found[probe] = self._candidates(probes[probe], positions, top_k)
            if rows == self.faces:
                break
            pending = [probe for probe in pending if len(found[probe]) < min(top_k, self.subjects)]
            rows = min(4 * rows, self.faces)
        return found

    def nearest_of(self, subject_id: str, probe: Embedding) -> Candidate | None:
        """A subject's nearest face to one probe, float32 (embedding_size,); None where it has no face here."""
        own = [
            (squared_l2(probe, block.vectors[row]), block, row)
            for block in self.blocks
            for row in np.flatnonzero(block.subject_ids[: block.count] == subject_id).tolist()
        ]
        if not own:
            return None
        distance, block, row = min(own, key=itemgetter(0))
        return _candidate(block, row, distance, rank=1)

    def distances_to(self, face_id: UUID, probes: Embedding) -> list[Candidate] | None:
        """One face's distance to each probe, float32 (n, embedding_size); None where it is not here."""
        wanted = np.frombuffer(face_id.bytes, np.uint8)
        for block in self.blocks:
            for row in np.flatnonzero((block.face_ids[: block.count] == wanted).all(axis=1)).tolist():
                return [_candidate(block, row, squared_l2(probe, block.vectors[row]), rank=1) for probe in probes]
        return None

    def nearest(self, probes: Embedding, count: int) -> NDArray[np.int64]:
        """Positions of the `count` nearest faces of each probe, int64 (n, count), nearest first, -1 for none."""
        heap = faiss.ResultHeap(len(probes), count)
        for number, block in enumerate(self.blocks):
            distances, rows = faiss.knn(probes, block.vectors[: block.count], min(count, block.count))
            heap.add_result(distances, np.where(rows < 0, -1, rows + number * BLOCK_ROWS))
        heap.finalize()
        positions: NDArray[np.int64] = heap.I
        return positions

    def _without(self, ids: Keys) -> tuple[list[FaceBlock], Keys]:
        """The blocks without these ids, and the subject keys of the rows that went."""
        ids = ids[ids <= self.newest_id]
        if not len(ids):
            return list(self.blocks), ids
        gone = [np.isin(block.ids[: block.count], ids) for block in self.blocks]
        keys = [block.subject_keys[: block.count][mask] for block, mask in zip(self.blocks, gone, strict=True)]
        return without(self.blocks, gone), np.unique(np.concatenate([*keys, ids[:0]]))

    def _candidates(self, probe: Embedding, positions: NDArray[np.int64], top_k: int) -> list[Candidate]:
        """The best face of each subject, ranked by the distance that `verify` would give."""
        faces = [(self.blocks[p // BLOCK_ROWS], p % BLOCK_ROWS) for p in positions.tolist() if p >= 0]
        vectors = np.array([block.vectors[row] for block, row in faces], np.float64)
        distances = np.square(vectors - probe).sum(axis=1)
        order = np.lexsort(([block.ids[row] for block, row in faces], distances))
        best: dict[int, tuple[FaceBlock, int]] = {}
        for block, row in (faces[position] for position in order.tolist()):
            if len(best) == top_k:
                break
            best.setdefault(int(block.subject_keys[row]), (block, row))
        exact = [(squared_l2(probe, block.vectors[row]), block, row) for block, row in best.values()]
        exact.sort(key=itemgetter(0))
        return [_candidate(block, row, distance, rank) for rank, (distance, block, row) in enumerate(exact, start=1)]


def _candidate(block: FaceBlock, row: int, distance: float, rank: int) -> Candidate:
    return Candidate(
        subject_id=block.subject_ids[row],
        name=block.names[row],
        face_id=str(UUID(bytes=block.face_ids[row].tobytes())),
        distance=distance,
        rank=rank,
    )


def _held(blocks: Sequence[FaceBlock], keys: Keys) -> Keys:
    """Which of the subject keys have a face in the blocks."""
    if not len(keys):
        return keys
    held = [block.subject_keys[: block.count] for block in blocks]
    return np.unique(np.concatenate([*(own[np.isin(own, keys)] for own in held), keys[:0]]))


def _sorted_unique(keys: Iterable[int]) -> Keys:
    return np.unique(np.fromiter(keys, np.int64))
