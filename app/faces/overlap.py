"""Non-maximum suppression: of boxes that overlap, the best is kept."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# Up to so many boxes all overlaps are computed at once, which costs a few numpy calls however many boxes are kept;
# above it the matrix would outgrow the processor's caches, and each kept box is compared with those that are left.
_MATRIX_BOXES = 256


def non_maximum(
    boxes: Floats,
    scores: Floats,
    threshold: float,
    *,
    of: Ints | None = None,
    of_smaller: bool = False,
    pixel: float = 0.0,
) -> Ints:
    """Indices of the boxes that no better box overlaps by more than `threshold`, best first.

    `boxes`: float32 (n, 4), left, top, right, bottom; `scores`: float32 (n,). `of`: int64 (n,), ascending, the picture
    of each box where there are several; the answer is best first in each, picture by picture. Overlap is intersection
    over union, or over the smaller box. `pixel` is added to widths and heights where coordinates name pixels rather
    than edges (MTCNN's original Matlab code, last stage).
    """
    if len(boxes) < 2:
        return np.arange(len(boxes))
    bounds = [0, len(boxes)] if of is None else [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(boxes)]
    order = np.concatenate([start + _best_first(scores[start:end], of_smaller) for start, end in pairwise(bounds)])
    rivals = _Rivals(np.ascontiguousarray(boxes[order].T), of, threshold, of_smaller, pixel)
    return order[list(rivals.kept())]


def near(boxes: Floats, chosen: Ints, threshold: float, *, of: Ints | None = None) -> NDArray[np.bool_]:
    """Which boxes overlap any of the chosen by more than `threshold`, themselves among them: bool (n,).

    `chosen`: their indices, int64 (k,); the rest as for `non_maximum`.
    """
    rivals = _Rivals(np.ascontiguousarray(boxes.T), of, threshold, of_smaller=False, pixel=0.0)
    found, everyone = np.zeros(len(boxes), np.bool_), np.arange(len(boxes))
    for start in range(0, len(chosen), _MATRIX_BOXES):
        some = chosen[start : start + _MATRIX_BOXES]
        found |= rivals.overlap(everyone[:, None], some[None, :]).any(axis=1)
    return found


def _best_first(scores: Floats, of_smaller: bool) -> Ints:
    # Saturated scores do tie. The reference takes the first of equals, but in its last stage numpy's last.
    return np.argsort(scores)[::-1] if of_smaller else np.argsort(-scores, kind="stable")


class _Rivals:
    """Boxes, float32 (4, n), for `kept` best first, and the picture of each where there are several, int64 (n,)."""

    def __init__(self, ranked: Floats, of: Ints | None, threshold: float, of_smaller: bool, pixel: float) -> None:
        self._ranked, self._of = ranked, of
        self._threshold, self._of_smaller, self._pixel = np.float32(threshold), of_smaller, np.float32(pixel)
        size = ranked[2:] - ranked[:2] + self._pixel
        self._area = size[0] * size[1]

    def kept(self) -> Iterator[int]:
        """The ranks that no better rank has beaten."""
        return self._kept_of_few() if len(self._area) <= _MATRIX_BOXES else self._kept_of_many()

    def _kept_of_few(self) -> Iterator[int]:
        everyone = np.arange(len(self._area))
        overlap = self.overlap(everyone[:, None], everyone[None, :])
        # Each row as one whole number: its bits are taken and tested faster than elements of an array.
        rows = [int.from_bytes(row, "little") for row in np.packbits(overlap, axis=1, bitorder="little")]
        beaten = 0
        for rank, row in enumerate(rows):
            if not beaten >> rank & 1:
                yield rank
                beaten |= row

    def _kept_of_many(self) -> Iterator[int]:
        left = np.arange(len(self._area))
        while left.size:
            best, rest = left[:1], left[1:]
            yield int(best[0])
            left = rest[~self.overlap(best, rest)]

    def overlap(self, a: Ints, b: Ints) -> NDArray[np.bool_]:
        """Whether boxes `a` and `b`, which broadcast against each other, overlap too much."""
        one, other = self._ranked[:, a], self._ranked[:, b]
        edge = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
        edge += self._pixel
        np.maximum(edge, 0, out=edge)
        shared = edge[0] * edge[1]
        area_a, area_b = self._area[a], self._area[b]
        whole = np.minimum(area_a, area_b) if self._of_smaller else area_a + area_b - shared
        over: NDArray[np.bool_] = shared > self._threshold * whole
        if self._of is not None:
            over &= self._of[a] == self._of[b]
        return over
