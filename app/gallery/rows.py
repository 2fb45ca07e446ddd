"""Faces in blocks, compared with a probe one by one: exact search by FAISS."""

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from app.domain import Embedding
from app.gallery import blocks as blocks_module
from app.gallery.blocks import FaceBlock, appended, without

Keys = NDArray[np.int64]
Positions = NDArray[np.int64]  # block number * BLOCK_ROWS + row; -1 for none

_THREADS: int = faiss.omp_get_max_threads()


@dataclass(frozen=True, slots=True, eq=False)
class ExactRows:
    """The rows of a gallery, all compared in every search. Immutable, but for room at the end for the newest state."""

    blocks: tuple[FaceBlock, ...] = ()

    def without(self, ids: Keys) -> tuple["ExactRows", Keys]:
        """The rows less those of these ids, and the subject keys of those that went."""
        masks, keys = gone(self.blocks, ids)
        return ExactRows(tuple(without(self.blocks, masks))), keys

    def appended(self, more: FaceBlock) -> "ExactRows":
        """The rows with others after them."""
        return ExactRows(tuple(appended(self.blocks, more)))

    def nearest(self, probes: Embedding, count: int) -> Positions:
        """The `count` nearest rows of each probe, int64 (n, count), nearest first."""
        one_thread_a_probe(len(probes))
        heap = faiss.ResultHeap(len(probes), count)
        for number, block in enumerate(self.blocks):
            distances, rows = faiss.knn(probes, block.vectors[: block.count], min(count, block.count))
            heap.add_result(distances, np.where(rows < 0, -1, rows + number * blocks_module.BLOCK_ROWS))
        heap.finalize()
        positions: Positions = heap.I
        return positions


def one_thread_a_probe(probes: int) -> None:
    """Let FAISS use no more threads than there are probes, for searches of the thread that asks.

    It shares probes out among threads, and one probe to none; but it would wake them all for each small step, which
    takes the cores from whoever reads photographs.
    """
    faiss.omp_set_num_threads(max(1, min(probes, _THREADS)))


def gone(blocks: Sequence[FaceBlock], ids: Keys) -> tuple[list[NDArray[np.bool_]], Keys]:
    """A mask of each block's rows that have one of these ids, and the subject keys of those rows."""
    masks = [among(block.ids[: block.count], ids) for block in blocks]
    keys = [block.subject_keys[: block.count][mask] for block, mask in zip(blocks, masks, strict=True) if mask.any()]
    return masks, np.unique(np.concatenate([*keys, ids[:0]]))


def among(values: Keys, wanted: Keys) -> NDArray[np.bool_]:
    """Which of the values are wanted, int64 in ascending order. Most blocks hold none, which their ends tell."""
    if not len(wanted) or not len(values) or values.max() < wanted[0] or wanted[-1] < values.min():
        return np.zeros(len(values), bool)
    return np.isin(values, wanted)
