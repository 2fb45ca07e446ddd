"""Exact area resampling of many rectangles at once, from one summed-area table.

The detector looks at a photograph through hundreds of windows at many scales. Each window's pixel is the mean of a
rectangle of the photograph, and a summed-area table (Crow 1984) gives any such mean in four look-ups, so the cost
of a window is its output size whatever its input size. The bins are those of adaptive average pooling
(start floor(i*n/k), end ceil((i+1)*n/k)), which is what the networks were trained with.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.faces.decode import Pixels

Ints = NDArray[np.int64]
Planes = NDArray[np.float32]

# A number of 64 bits holds red in its lowest 21 bits, green in the next 21 and blue above.
_GREEN, _BLUE, _FIELD = np.uint64(21), np.uint64(42), np.uint64(2**21 - 1)

_STRIP_PX = 65_536  # of which the numbers stay in a processor's cache

# Of a bin this large, each colour's sum still fits its bits.
MAX_BIN_PX = (2**21 - 1) // 255


class AreaTable:
    """The summed-area table of an RGB photograph; rectangles of it resample to any size.

    An entry is one number of 64 bits with all three colours. It overflows from colour to colour and at its end, but a
    bin's sum is a difference of entries, which is right modulo 2**64 as long as the bin's own sums fit their bits.
    """

    def __init__(self, pixels: Pixels) -> None:
        """`pixels`: uint8 (height, width, 3), RGB."""
        self.height, self.width, _ = pixels.shape
        table = np.empty((self.height + 1, self.width + 1), np.uint64)
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
            np.add.accumulate(rows, axis=0, out=rows)
        self._table, self.stride = table.reshape(-1), self.width + 1

    def resize(self, height: int, width: int) -> Planes:
        """The whole photograph as float32 (3, height, width), 0 to 255."""
        whole = np.array([[0, 0, self.width, self.height]])
        means = self._means(*bins(whole[:, 1], whole[:, 3], height), *bins(whole[:, 0], whole[:, 2], width))
        return cast(Planes, means[0])

    def crops(self, boxes: Ints, size: int) -> Planes:
        """Rectangles as float32 (n, 3, size, size), 0 to 255.

        `boxes`: int64 (n, 4) of left, top, right, bottom inside the photograph, none of them empty.
        """
        return self._means(*bins(boxes[:, 1], boxes[:, 3], size), *bins(boxes[:, 0], boxes[:, 2], size))

    def sums(self, corners: Ints | Sequence[Ints], planes: Planes) -> None:
        """Sums over bins of at most `MAX_BIN_PX` pixels, by their corners, into `planes`, float32 (3, *shape).

        `corners`: the entries before the top left, top right, bottom left and bottom right pixel, int64 of one shape
        each; the entry before column x of row y is `y * stride + x`.
        """
        top_left, top_right, bottom_left, bottom_right = corners
        packed = self._table.take(bottom_right)
        packed -= self._table.take(bottom_left)
        packed -= self._table.take(top_right)
        packed += self._table.take(top_left)
        red, green, blue = planes
        # Through int32, which turns into floats several at a time.
        red[...] = (packed & _FIELD).astype(np.int32)
        packed >>= _GREEN
        green[...] = (packed & _FIELD).astype(np.int32)
        packed >>= _GREEN
        blue[...] = packed.astype(np.int32)

    def _means(self, top: Ints, bottom: Ints, left: Ints, right: Ints) -> Planes:
        """Means of all bins, edges int64 (n, rows) and (n, columns), to float32 (n, 3, rows, columns)."""
        planes = self._sums(top, bottom, left, right)
        share = np.float32(1.0) / (bottom - top).astype(np.float32)[:, None, :, None]
        planes *= share / (right - left).astype(np.float32)[:, None, None, :]
        return planes

    def _sums(self, top: Ints, bottom: Ints, left: Ints, right: Ints) -> Planes:
        height, width = (bottom - top).max(), (right - left).max()
        if height * width > MAX_BIN_PX:  # in halves
            if height > width:
                middle = (top + bottom) // 2
                return self._sums(top, middle, left, right) + self._sums(middle, bottom, left, right)
            middle = (left + right) // 2
            return self._sums(top, bottom, left, middle) + self._sums(top, bottom, middle, right)
        planes = np.empty((len(top), 3, top.shape[1], left.shape[1]), np.float32)
        rows, columns = (top * self.stride, bottom * self.stride), (left, right)
        self.sums([row[:, :, None] + column[:, None, :] for row in rows for column in columns], planes.swapaxes(0, 1))
        return planes


def bins(start: Ints, end: Ints, count: int) -> tuple[Ints, Ints]:
    """First and one-past-last source index of each of `count` bins, int64 (n, count) each."""
    length = (end - start)[:, None]
    index = np.arange(count, dtype=np.int64)[None, :]
    first = index * length // count
    last = -(-(index + 1) * length // count)
    return start[:, None] + first, start[:, None] + last
