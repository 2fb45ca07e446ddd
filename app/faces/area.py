"""Exact area resampling of many rectangles at once, from one summed-area table.

The detector looks at a photograph through hundreds of windows at many scales. Each window's pixel is the mean of a
rectangle of the photograph, and a summed-area table (Crow 1984) gives any such mean in four look-ups, so the cost
of a window is its output size whatever its input size. The bins are those of adaptive average pooling
(start floor(i*n/k), end ceil((i+1)*n/k)), which is what the networks were trained with.
"""

import numpy as np
from numpy.typing import NDArray

from app.faces.decode import Pixels


class AreaTable:
    """The summed-area table of an RGB photograph; rectangles of it resample to any size.

    An entry is 16 bytes, looked up as one: a 64-bit number with red in its lower and green in its upper half, and one
    with blue. A sum of such numbers is right in both halves as long as the lower one does not overflow.
    """

    def __init__(self, pixels: Pixels) -> None:
        """`pixels`: uint8 (height, width, 3), RGB."""
        self.height, self.width, _ = pixels.shape
        # The numbers may wrap on a large photograph; differences are still right modulo 2**64, and the half of a
        # single bin would need 16 million pixels to overflow.
        table = np.zeros((self.height + 1, self.width + 1, 2), dtype=np.uint64)
        inner, rows = table[1:, 1:], table.reshape(self.height + 1, -1)
        inner[..., 0] = pixels[..., 1]
        inner[..., 0] <<= np.uint64(32)
        inner[..., 0] += pixels[..., 0]
        inner[..., 1] = pixels[..., 2]
        # In place, and over whole rows the second time: `cumsum` takes four times as long.
        np.add.accumulate(inner, axis=1, out=inner)
        np.add.accumulate(rows, axis=0, out=rows)
        self._table = table.reshape(-1).view(np.complex128)

    def resize(self, height: int, width: int) -> NDArray[np.float32]:
        """The whole photograph as float32 (height, width, channels), 0 to 255."""
        top, bottom = _bins(np.array([0]), np.array([self.height]), height)
        left, right = _bins(np.array([0]), np.array([self.width]), width)
        level: NDArray[np.float32] = self._means(left, top, right, bottom)[0]
        return level

    def crops(self, boxes: NDArray[np.int64], size: int) -> NDArray[np.float32]:
        """Rectangles as float32 (n, size, size, channels).

        `boxes`: int64 (n, 4) of left, top, right, bottom inside the photograph, none of them empty.
        """
        left, right = _bins(boxes[:, 0], boxes[:, 2], size)
        top, bottom = _bins(boxes[:, 1], boxes[:, 3], size)
        return self._means(left, top, right, bottom)

    def _means(
        self, left: NDArray[np.int64], top: NDArray[np.int64], right: NDArray[np.int64], bottom: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Means of all bins: edges int64 (n, columns) and (n, rows) to float32 (n, rows, columns, channels)."""
        stride = self.width + 1
        rows_top, rows_bottom = top[:, :, None] * stride, bottom[:, :, None] * stride
        columns_left, columns_right = left[:, None, :], right[:, None, :]
        sums = self._entries(rows_bottom + columns_right)
        sums -= self._entries(rows_bottom + columns_left)
        sums -= self._entries(rows_top + columns_right)
        sums += self._entries(rows_top + columns_left)
        area_px = (bottom - top)[:, :, None] * (right - left)[:, None, :]
        mean: NDArray[np.float32] = _channels(sums).reshape(*area_px.shape, 4)[..., :3].astype(np.float32)
        mean /= area_px[..., None].astype(np.float32)
        return mean

    def _entries(self, index: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Entries of the flat table; one `take` of 16-byte elements is three times as fast as one of rows."""
        return self._table.take(index).view(np.uint64)


def _channels(sums: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Red, green, blue and nothing, four numbers an entry, whatever the byte order of the machine."""
    return sums.astype("<u8", copy=False).view("<u4").astype(np.uint32, copy=False)


def _bins(start: NDArray[np.int64], end: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one-past-last source index of each of `count` bins, int64 (n, count) each."""
    length = (end - start)[:, None]
    index = np.arange(count, dtype=np.int64)[None, :]
    first = index * length // count
    last = -(-(index + 1) * length // count)
    return start[:, None] + first, start[:, None] + last
