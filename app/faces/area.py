"""Exact area resampling of many rectangles at once, from one summed-area table.

The detector looks at a photograph through hundreds of windows at many scales. Each window's pixel is the mean of a
rectangle of the photograph, and a summed-area table (Crow 1984) gives any such mean in four look-ups, so the cost
of a window is its output size whatever its input size. The bins are those of adaptive average pooling
(start floor(i*n/k), end ceil((i+1)*n/k)), which is what the networks were trained with.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.faces.decode import Pixels

Ints = NDArray[np.int64]
Planes = NDArray[np.float32]
Entries = NDArray[np.uint64]
Edges = tuple[Ints, Ints]

# A number of 64 bits holds red in its lowest 21 bits, green in the next 21 and blue above.
_GREEN, _BLUE, _FIELD = np.uint64(21), np.uint64(42), np.uint64(2**21 - 1)

_STRIP_PX = 65_536  # of which the numbers stay in a processor's cache
_LONG_ROW = 320

# Of a bin this large, each colour's sum still fits its bits.
MAX_BIN_PX = (2**21 - 1) // 255


class AreaTable:
    """The summed-area table of an RGB photograph; rectangles of it resample to any size.

    An entry is one number of 64 bits with all three colours. It overflows from colour to colour and at its end, but a
    bin's sum is a difference of entries, which is right modulo 2**64 as long as the bin's own sums fit their bits.
    """

    def __init__(self, pixels: Pixels, entries: Entries | None = None) -> None:
        """`pixels`: uint8 (height, width, 3), RGB. `entries`: memory for the table, `entries_of(pixels)` of them."""
        self.height, self.width, _ = pixels.shape
        self.stride = self.width + 1
        self._entries = np.empty(entries_of(pixels), np.uint64) if entries is None else entries
        table = self._entries.reshape(-1, self.stride)
        table[0], table[:, 0] = 0, 0
        rows_at_once = max(_STRIP_PX // self.width, 1)
        for first in range(0, self.height, rows_at_once):
            part = pixels[first : first + rows_at_once]
            packed = part[..., 2].astype(np.uint64)
            for channel in (1, 0):
                packed <<= _GREEN
                packed |= part[..., channel]
            rows = table[first : first + len(part) + 1]  # with the one above
            np.add.accumulate(packed, axis=1, out=rows[1:, 1:])
            _add_up(rows)

    def resize(self, height: int, width: int) -> Planes:
        """The whole photograph as float32 (3, height, width), 0 to 255."""
        whole = np.array([[0, 0, self.width, self.height]])
        return cast(Planes, _means(self._entries, 0, self.stride, whole, (height, width))[0])

    def crops(self, boxes: Ints, size: int) -> Planes:
        """Rectangles as float32 (n, 3, size, size), 0 to 255.

        `boxes`: int64 (n, 4) of left, top, right, bottom inside the photograph, none of them empty.
        """
        return _means(self._entries, 0, self.stride, boxes, (size, size))

    def sums(self, corners: Ints | Sequence[Ints], planes: Planes) -> None:
        """Sums over bins of at most `MAX_BIN_PX` pixels, by their corners, into `planes`, float32 (3, *shape).

        `corners`: the entries before the top left, top right, bottom left and bottom right pixel, int64 of one shape
        each; the entry before column x of row y is `y * stride + x`.
        """
        _sum_up(self._entries, corners, planes)


class AreaTables:
    """The tables of several photographs, of which rectangles are resampled together."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        """`pictures`: one or more, uint8 (height, width, 3), RGB."""
        ends = np.cumsum([entries_of(pixels) for pixels in pictures])
        self._entries: Entries = np.empty(ends[-1], np.uint64)
        self._starts = np.concatenate([[0], ends[:-1]])
        parts = np.split(self._entries, ends[:-1])
        self.each = [AreaTable(pixels, part) for pixels, part in zip(pictures, parts, strict=True)]
        self._strides = np.array([table.stride for table in self.each])
        self.sizes = np.array([(table.width, table.height) for table in self.each])

    def crops(self, boxes: Ints, of: Ints, size: int) -> Planes:
        """As `AreaTable.crops`; `of`, int64 (n,): which of the photographs each box is of."""
        return _means(self._entries, self._starts[of, None], self._strides[of, None], boxes, (size, size))


def entries_of(pixels: Pixels) -> int:
    """How many numbers a photograph's table has: one more than pixels in each direction."""
    return math.prod(side + 1 for side in pixels.shape[:2])


def _add_up(rows: Entries) -> None:
    """Add to each row the ones above it. numpy goes down column by column, and long rows are faster whole."""
    if rows.shape[1] < _LONG_ROW:
        np.add.accumulate(rows, axis=0, out=rows)
        return
    for above, row in pairwise(rows):
        np.add(above, row, out=row)


def _means(entries: Entries, start: Ints | int, stride: Ints | int, boxes: Ints, shape: tuple[int, int]) -> Planes:
    """Means of bins, float32 (n, 3, *shape), of tables that begin at `start`: one for all boxes, or int64 (n, 1)."""
    top, bottom = bins(boxes[:, 1], boxes[:, 3], shape[0])
    left, right = bins(boxes[:, 0], boxes[:, 2], shape[1])
    planes: Planes = np.empty((len(boxes), 3, *shape), np.float32)
    _sum_between(entries, (start, stride), (top, bottom), (left, right), planes)
    share = np.float32(1.0) / (bottom - top).astype(np.float32)[:, None, :, None]
    planes *= share / (right - left).astype(np.float32)[:, None, None, :]
    return planes


def _sum_between(
    entries: Entries, tables: tuple[Ints | int, Ints | int], rows: Edges, columns: Edges, planes: Planes
) -> None:
    """Sums of bins between edges, int64 (n, count), into `planes`; `tables`: where they begin and their strides."""
    height, width = ((end - start).max() for start, end in (rows, columns))
    if height * width > MAX_BIN_PX:
        first, rest = _halves(rows, columns, of_rows=bool(height > width))
        _sum_between(entries, tables, *first, planes)
        more = np.empty_like(planes)
        _sum_between(entries, tables, *rest, more)
        planes += more
        return
    start, stride = tables
    corners = [(start + row * stride)[:, :, None] + column[:, None, :] for row in rows for column in columns]
    _sum_up(entries, corners, planes.swapaxes(0, 1))


def _halves(rows: Edges, columns: Edges, *, of_rows: bool) -> tuple[tuple[Edges, Edges], tuple[Edges, Edges]]:
    start, end = rows if of_rows else columns
    middle = (start + end) // 2
    if of_rows:
        return ((start, middle), columns), ((middle, end), columns)
    return (rows, (start, middle)), (rows, (middle, end))


def _sum_up(entries: Entries, corners: Ints | Sequence[Ints], planes: Planes) -> None:
    """See `AreaTable.sums`."""
    top_left, top_right, bottom_left, bottom_right = corners
    packed = entries.take(bottom_right)
    packed -= entries.take(bottom_left)
    packed -= entries.take(top_right)
    packed += entries.take(top_left)
    red, green, blue = planes
    # Through int32, which turns into floats several at a time.
    red[...] = (packed & _FIELD).astype(np.int32)
    packed >>= _GREEN
    green[...] = (packed & _FIELD).astype(np.int32)
    packed >>= _GREEN
    blue[...] = packed.astype(np.int32)


def bins(start: Ints, end: Ints, count: int) -> tuple[Ints, Ints]:
    """First and one-past-last source index of each of `count` bins, int64 (n, count) each."""
    length = (end - start)[:, None]
    index = np.arange(count, dtype=np.int64)[None, :]
    first = index * length // count
    last = -(-(index + 1) * length // count)
    return start[:, None] + first, start[:, None] + last
