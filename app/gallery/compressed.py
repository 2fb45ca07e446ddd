"""Search of millions: all faces are looked at in compressed form, and the nearest of them compared exactly.

A face of 128 numbers is 32 bytes here: each pair of numbers becomes the nearest of 16 learned pairs (product
quantisation, Jegou, Douze and Schmid 2011), which FAISS compares through tables in registers (Andre, Kermarrec and Le
Scouarnec 2015). That takes 0.8 ms for a million faces and one probe on one core, where comparing them exactly takes 18.
The vectors are kept beside the codes; the distances that are answered are exact, and only a face that is not among the
`SHORTLIST` nearest codes can be missed. Nothing depends on how faces lie to each other, as it does for graphs and
cells, so a removal is a removal and no face is harder to find than another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from app.domain import Embedding
from app.gallery import blocks as blocks_module
from app.gallery.blocks import FaceBlock, appended, without
from app.gallery.rows import ExactRows, Keys, Positions, gone, one_thread_a_probe

SEGMENT_ROWS = 131_072  # packed anew in 7 ms when a row of it goes
SHORTLIST = 512  # rows that are compared exactly for one probe, or more where more neighbours are asked for
MAX_SHORTLIST = 16_384  # who asks for more is answered by comparing all rows
TRAINING_ROWS = 65_536
_BITS = 4
_MAX_PARTS = 256  # more would not fit into the 16 bits that FAISS adds up in


class Quantizer:
    """The learned pairs; immutable."""

    def __init__(self, vectors: Embedding) -> None:
        """Learn from float32 (n, embedding_size), any n from 1; the same vectors give the same quantizer."""
        size = vectors.shape[1]
        self._quantizer = faiss.ProductQuantizer(size, _parts(size), _BITS)
        self._quantizer.cp.min_points_per_centroid = 1  # no warning on standard error
        points = 1 << _BITS
        sample = vectors if len(vectors) >= points else np.resize(vectors, (points, size))
        self._quantizer.train(np.ascontiguousarray(sample))

    def coded(self, block: FaceBlock) -> FaceBlock:
        """The block with the codes of its vectors; it takes the place of the block, and its room."""
        codes = np.empty((len(block.ids), self._quantizer.code_size), np.uint8)
        codes[: block.count] = self._quantizer.compute_codes(np.ascontiguousarray(block.vectors[: block.count]))
        return replace(block, codes=codes)

    def packed(self, codes: NDArray[np.uint8]) -> Any:
        """A FAISS index over codes, for fast scans."""
        plain = faiss.IndexPQ(self._quantizer.d, self._quantizer.M, _BITS)
        plain.pq = self._quantizer
        plain.is_trained = True
        faiss.copy_array_to_vector(np.ascontiguousarray(codes).ravel(), plain.codes)
        plain.ntotal = len(codes)
        return faiss.IndexPQFastScan(plain)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Some blocks and their packed codes. `positions` int64 (count,): of each row, counted from the first block."""

    blocks: tuple[FaceBlock, ...]
    packed: Any
    positions: Positions

    @classmethod
    def of(cls, quantizer: Quantizer, blocks: Sequence[FaceBlock]) -> "Segment":
        """Pack blocks that have codes."""
        codes = np.concatenate([block.codes[: block.count] for block in blocks])
        starts = [number * blocks_module.BLOCK_ROWS + np.arange(block.count) for number, block in enumerate(blocks)]
        return cls(tuple(blocks), quantizer.packed(codes), np.concatenate(starts).astype(np.int64))

    @property
    def count(self) -> int:
        return len(self.positions)

    def nearest(self, probes: Embedding, count: int) -> tuple[NDArray[np.float32], Positions]:
        """Rough distances and positions of up to `count` rows for each probe."""
        distances, rows = self.packed.search(probes, min(count, self.count))
        return distances, np.where(rows < 0, -1, self.positions[rows])


@dataclass(frozen=True, slots=True, eq=False)
class CompressedRows:
    """Segments, and after them a tail that does not fill one yet and is compared exactly."""

    quantizer: Quantizer
    segments: tuple[Segment, ...]
    tail: tuple[FaceBlock, ...]
    blocks: tuple[FaceBlock, ...]

    @classmethod
    def of(cls, blocks: Sequence[FaceBlock]) -> "CompressedRows":
        """Compress rows that are there."""
        quantizer = Quantizer(_sample(blocks))
        coded = [quantizer.coded(block) for block in blocks]
        return cls._settled(quantizer, (), coded)

    @classmethod
    def _settled(cls, quantizer: Quantizer, segments: Sequence[Segment], tail: Sequence[FaceBlock]) -> "CompressedRows":
        """With what fills a segment taken from the beginning of the tail."""
        full, rest = list(segments), list(tail)
        while sum(block.count for block in rest) >= SEGMENT_ROWS:
            taken = _filling(rest)
            full.append(Segment.of(quantizer, rest[:taken]))
            del rest[:taken]
        every = tuple(block for segment in full for block in segment.blocks) + tuple(rest)
        return cls(quantizer, tuple(full), tuple(rest), every)

    def without(self, ids: Keys) -> tuple["CompressedRows", Keys]:
        """The rows less those of these ids, and the subject keys of those that went."""
        keys, segments, tail = [ids[:0]], list[Segment](), list[FaceBlock]()
        for segment in self.segments:
            masks, removed = gone(segment.blocks, ids)
            keys.append(removed)
            if not any(mask.any() for mask in masks):
                segments.append(segment)
                continue
            rest = without(segment.blocks, masks)
            if 2 * sum(block.count for block in rest) >= SEGMENT_ROWS:
                segments.append(Segment.of(self.quantizer, rest))
            else:
                tail += rest
        masks, removed = gone(self.tail, ids)
        merged = without([*tail, *self.tail], [*(np.zeros(block.count, bool) for block in tail), *masks])
        return self._settled(self.quantizer, segments, merged), np.unique(np.concatenate([*keys, removed]))

    def appended(self, more: FaceBlock) -> "CompressedRows":
        """The rows with others after them."""
        return self._settled(self.quantizer, self.segments, appended(self.tail, self.quantizer.coded(more)))

    def nearest(self, probes: Embedding, count: int) -> Positions:
        """The `count` nearest rows of each probe, int64 (n, count), nearest first, as far as codes can tell."""
        shortlist = max(SHORTLIST, 4 * count)
        if shortlist > MAX_SHORTLIST or not self.segments:
            return ExactRows(self.blocks).nearest(probes, count)
        one_thread_a_probe(len(probes))
        rough = faiss.ResultHeap(len(probes), shortlist)
        first = 0
        for segment in self.segments:
            distances, positions = segment.nearest(probes, shortlist)
            rough.add_result(distances, np.where(positions < 0, -1, positions + first))
            first += len(segment.blocks) * blocks_module.BLOCK_ROWS
        rough.finalize()
        tail = ExactRows(self.tail).nearest(probes, count) if self.tail else np.empty((len(probes), 0), np.int64)
        candidates = np.concatenate([rough.I, np.where(tail < 0, -1, tail + first)], axis=1)
        return np.stack([self._ranked(probe, row, count) for probe, row in zip(probes, candidates, strict=True)])

    def _ranked(self, probe: Embedding, positions: Positions, count: int) -> Positions:
        """The `count` nearest of some rows by their vectors, padded with -1."""
        given = positions[positions >= 0]
        numbers, rows = np.divmod(given, blocks_module.BLOCK_ROWS)
        vectors = np.empty((len(given), len(probe)), np.float32)
        for place, (number, row) in enumerate(zip(numbers.tolist(), rows.tolist(), strict=True)):
            vectors[place] = self.blocks[number].vectors[row]
        distances = np.square(vectors - probe).sum(axis=1)
        ranked = np.full(count, -1, np.int64)
        nearest = given[np.argsort(distances, kind="stable")[:count]]
        ranked[: len(nearest)] = nearest
        return ranked


def _filling(blocks: Sequence[FaceBlock]) -> int:
    """How many blocks, from the first, fill a segment."""
    rows = taken = 0
    while rows < SEGMENT_ROWS:
        rows += blocks[taken].count
        taken += 1
    return taken


def _sample(blocks: Sequence[FaceBlock]) -> Embedding:
    """Rows from all of the blocks, the same number of each; float32 (n, embedding_size)."""
    step = max(sum(block.count for block in blocks) // TRAINING_ROWS, 1)
    return np.concatenate([block.vectors[: block.count : step] for block in blocks])


def _parts(size: int) -> int:
    """How many parts a vector is cut into: pairs, unless that does not come out even or is too many."""
    width = next(width for width in range(2, size + 1) if size % width == 0 and size // width <= _MAX_PARTS)
    return size // width
