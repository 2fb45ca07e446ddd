"""A photograph in all sizes that P-Net looks at, side by side in one picture.

P-Net finds faces of one size, so it looks at the photograph reduced by every power of a factor. One picture that holds
all these levels costs one call of the network; where each of its pixels comes from depends on the size of the
photograph alone, and is kept for photographs of the same size.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np

from app.faces.area import MAX_BIN_PX, AreaTable, Ints, Planes, bins

WINDOW_PX = 12
_STRIDE_PX = 2
_FACTOR = 0.709

# A layout takes some 60 bytes for each pixel of its picture, which has a fifth of the photograph's for faces of 40 px.
_KEPT_LAYOUTS, _KEPT_PHOTOGRAPH_PX = 4, 1_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """A size of the photograph and where it lies in the picture, at even coordinates."""

    scale: float
    height: int
    width: int
    top: int = 0
    left: int = 0

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns of the picture."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What is known of the picture before the photograph is.

    `corners`: int64 (4, height, width), the bins of the picture's pixels, as `AreaTable.sums` takes them; `share`:
    float32 (height, width), one over the pixels of a bin; both nought in the gaps and in `coarse` levels, whose bins
    are too large for them. `edge`: float32 (height, width), `positions`, `windows` and `apart`: as P-Net takes them.
    """

    corners: Ints
    share: Planes
    coarse: tuple[Level, ...]
    edge: Planes
    positions: Ints
    windows: Planes
    apart: Planes

    def picture(self, table: AreaTable) -> Planes:
        """P-Net's `image`, float32 (1, 4, height, width)."""
        picture = np.empty((1, 4, *self.share.shape), np.float32)
        planes = picture[0, :3]
        table.sums(self.corners, planes)
        planes *= self.share
        for level in self.coarse:
            planes[:, *level.place] = table.resize(level.height, level.width)
        picture[0, 3] = self.edge
        return picture


def layout_of(height: int, width: int, min_face_px: float) -> Layout | None:
    """Of a photograph of this size; None where it is smaller than the smallest face."""
    return (_kept_layout if height * width <= _KEPT_PHOTOGRAPH_PX else _new_layout)(height, width, min_face_px)


def _new_layout(height: int, width: int, min_face_px: float) -> Layout | None:
    levels = [
        Level(scale, int(height * scale + 1), int(width * scale + 1)) for scale in _scales(height, width, min_face_px)
    ]
    if not levels:
        return None
    levels, size = placed(levels)
    coarse = [
        level for level in levels if _largest_bin(height, level.height) * _largest_bin(width, level.width) > MAX_BIN_PX
    ]
    corners, share = _sources(height, width, [level for level in levels if level not in coarse], size)
    edge = np.ones(size, np.float32)
    for level in levels:
        edge[level.top : level.top + level.height - 2, level.left : level.left + level.width - 2] = 0
    windows = [_windows(level) for level in levels]
    beside = max(float(boxes.max()) for boxes in windows) + 1.0
    return Layout(
        corners,
        share,
        tuple(coarse),
        edge,
        np.concatenate([_positions(level, size[1]) for level in levels]),
        np.concatenate(windows),
        np.concatenate([boxes + np.float32(i * beside) for i, boxes in enumerate(windows)]),
    )


_kept_layout = lru_cache(_KEPT_LAYOUTS)(_new_layout)


def _scales(height: int, width: int, min_face_px: float) -> Iterator[float]:
    """The smallest face fills P-Net's window at the first scale, the shorter side at the last."""
    scale = WINDOW_PX / min_face_px
    shorter = min(height, width) * scale
    while shorter >= WINDOW_PX:
        yield scale
        scale *= _FACTOR
        shorter *= _FACTOR


def placed(levels: list[Level]) -> tuple[list[Level], tuple[int, int]]:
    """Each level in the first gap that holds it, which leaves one to its right and one below; and the whole size."""
    placed = []
    gaps = [(0, 0, 2**31, _even(levels[0].width))]
    for level in levels:
        height, width = _even(level.height), _even(level.width)
        first = next(i for i, gap in enumerate(gaps) if height <= gap[2] and width <= gap[3])
        top, left, gap_height, gap_width = gaps[first]
        gaps[first : first + 1] = [
            (top, left + width, height, gap_width - width),
            (top + height, left, gap_height - height, gap_width),
        ]
        placed.append(replace(level, top=top, left=left))
    return placed, (max(level.top + _even(level.height) for level in placed), _even(levels[0].width))


def _largest_bin(size: int, count: int) -> int:
    """No bin of so many is larger: it begins and ends within a pixel."""
    return -(-size // count) + 1


def _even(size: int) -> int:
    return size + size % 2


def _sources(height: int, width: int, levels: list[Level], size: tuple[int, int]) -> tuple[Ints, Planes]:
    """`corners` and `share` of the layout."""
    corners, share = np.zeros((4, *size), np.int64), np.zeros(size, np.float32)
    for level in levels:
        (top,), (bottom,) = bins(np.array([0]), np.array([height]), level.height)
        (left,), (right,) = bins(np.array([0]), np.array([width]), level.width)
        for i, (rows, columns) in enumerate(product((top, bottom), (left, right))):
            np.add.outer(rows * (width + 1), columns, out=corners[i][level.place])
        np.divide.outer(1.0 / (bottom - top), right - left, out=share[level.place], casting="same_kind")
    return corners, share


def _outputs(size: int) -> int:
    """How many windows P-Net sees along a side: a convolution, a pooling that rounds up, and two convolutions."""
    return (size - 1) // 2 - 4


def _positions(level: Level, width: int) -> Ints:
    """Of the level's windows in the flat output for a picture of that width."""
    rows = np.arange(_outputs(level.height)) + level.top // _STRIDE_PX
    columns = np.arange(_outputs(level.width)) + level.left // _STRIDE_PX
    return np.add.outer(rows * _outputs(width), columns).reshape(-1)


def _windows(level: Level) -> Planes:
    """In pixels of the photograph: left, top, right, bottom, whole numbers as float32 (n, 4)."""
    rows, columns = _outputs(level.height), _outputs(level.width)
    boxes = np.empty((rows, columns, 4), np.float32)
    for edge, first in ((0, 1), (2, WINDOW_PX)):
        # float32 throughout: the reference divides in float32 before it floors.
        y, x = (
            np.floor((np.arange(count) * _STRIDE_PX + first).astype(np.float32) / np.float32(level.scale))
            for count in (rows, columns)
        )
        boxes[..., edge], boxes[..., edge + 1] = x, y[:, None]
    return boxes.reshape(-1, 4)
