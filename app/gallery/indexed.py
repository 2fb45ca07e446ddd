"""One gallery as an immutable state: the nearest subjects of a probe, and the state after some changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from uuid import UUID

import numpy as np

from app.domain import Candidate, Embedding, squared_l2
from app.gallery import blocks as blocks_module
from app.gallery import compressed as compressed_module
from app.gallery.blocks import FaceBlock
from app.gallery.changes import FaceChange
from app.gallery.compressed import CompressedRows
from app.gallery.rows import ExactRows, Keys, Positions, among

Rows = ExactRows | CompressedRows


@dataclass(frozen=True, slots=True, eq=False)
class IndexedGallery:
    """Faces in blocks, and how many subjects they are of.

    `newest_id` and `newest_key` are the largest id and subject key ever held. The database counts upwards, so most
    new rows lie above them and need not be looked for.
    """

    name: str
    rows: Rows = field(default_factory=ExactRows)
    faces: int = 0
    subjects: int = 0
    newest_id: int = 0
    newest_key: int = 0

    @property
    def blocks(self) -> tuple[FaceBlock, ...]:
        """All faces."""
        return self.rows.blocks

    def fitted(self, compress_above_faces: int | None) -> "IndexedGallery":
        """Compressed where it has more faces than that; exact again where it has shrunk to less than half of it.

        Never below a segment: so few are compared exactly anyway, and codes are to be learnt from many.
        """
        compressed = isinstance(self.rows, CompressedRows)
        if compress_above_faces is None:
            return self
        compress_above_faces = max(compress_above_faces, compressed_module.SEGMENT_ROWS)
        if not compressed and self.faces > compress_above_faces:
            return replace(self, rows=CompressedRows.of(self.blocks))
        if compressed and 2 * self.faces < compress_above_faces:
            plain = [replace(block, codes=np.empty((len(block.ids), 0), np.uint8)) for block in self.blocks]
            return replace(self, rows=ExactRows(tuple(plain)))
        return self

    def with_changes(self, changes: Sequence[FaceChange]) -> "IndexedGallery":
        """The state in which each changed id is as `changes` say, whatever it was before; no id may come twice.

        Rows that changed are removed and then added again, each in one go.
        """
        ids = _sorted_unique(change.id for change in changes)
        kept, removed_keys = self._without(ids)
        live = [change for change in changes if change.vector is not None]
        live_keys = _sorted_unique(change.subject_key or 0 for change in live)
        # Of the subjects at hand, those that other faces keep in the gallery.
        others = _held(kept.blocks, np.union1d(removed_keys, live_keys[live_keys <= self.newest_key]))
        return IndexedGallery(
            self.name,
            kept.appended(FaceBlock.from_changes(live)) if live else kept,
            faces=sum(block.count for block in kept.blocks) + len(live),
            subjects=self.subjects + len(np.union1d(others, live_keys)) - len(np.union1d(others, removed_keys)),
            newest_id=max(self.newest_id, *ids[-1:].tolist(), 0),
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
            for probe, positions in zip(pending, self.rows.nearest(probes[pending], rows), strict=True):
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

    def _without(self, ids: Keys) -> tuple[Rows, Keys]:
        """The rows without these ids, and the subject keys of those that went."""
        ids = ids[ids <= self.newest_id]
        return self.rows.without(ids) if len(ids) else (self.rows, ids)

    def _candidates(self, probe: Embedding, positions: Positions, top_k: int) -> list[Candidate]:
        """The best face of each subject, ranked by the distance that `verify` would give."""
        blocks, size = self.blocks, blocks_module.BLOCK_ROWS
        faces = [(blocks[p // size], p % size) for p in positions.tolist() if p >= 0]
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
    return np.unique(np.concatenate([*(own[among(own, keys)] for own in held), keys[:0]]))


def _sorted_unique(keys: Iterable[int]) -> Keys:
    return np.unique(np.fromiter(keys, np.int64))
