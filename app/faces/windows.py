"""MTCNN's boxes: which windows of a photograph they ask for, and how the networks' answers move them.

Boxes are float32 (n, 5): left, top, right, bottom and score, in pixels of the photograph. MTCNN counts pixels from 1.
"""

import numpy as np
from numpy.typing import NDArray

from app.faces.overlap import Floats, Ints


def windows(boxes: Floats, limits: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Which boxes meet their photographs, bool (n,), and the part of each of those inside it, int64 (kept, 4).

    `limits`: int64 (n, 2), width and height of the photograph of each box.
    """
    left_top = np.maximum(np.trunc(boxes[:, :2]).astype(np.int64), 1) - 1
    right_bottom = np.minimum(np.trunc(boxes[:, 2:4]).astype(np.int64), limits)
    inside = np.all(right_bottom > left_top, axis=1)
    return inside, np.concatenate([left_top, right_bottom], axis=1)[inside]


def probability(logit: Floats) -> Floats:
    """The logistic function."""
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and the probability rightly 0
        likely: Floats = np.float32(1.0) / (np.float32(1.0) + np.exp(-logit))
    return likely


def scored(boxes: Floats, score: Floats) -> Floats:
    """The boxes with another score, float32 (n,)."""
    return np.concatenate([boxes[:, :4], score[:, None]], axis=1)


def regressed(boxes: Floats, offsets: Floats) -> Floats:
    """Moved by R-Net's or O-Net's offsets, float32 (n, 4), in shares of the box."""
    size = np.stack([boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1] * 2, axis=1)
    return np.concatenate([boxes[:, :4] + offsets * size, boxes[:, 4:5]], axis=1)


def moved(boxes: Floats, offsets: Floats) -> Floats:
    """P-Net's own convention: a window's size is the difference of its corners."""
    size = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]] * 2, axis=1)
    return np.concatenate([boxes[:, :4] + offsets * size, boxes[:, 4:]], axis=1)


def squared(boxes: Floats) -> Floats:
    """The square of the longer side about the same centre."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(width, height)
    left = boxes[:, 0] + width * np.float32(0.5) - side * np.float32(0.5)
    top = boxes[:, 1] + height * np.float32(0.5) - side * np.float32(0.5)
    return np.stack([left, top, left + side, top + side, boxes[:, 4]], axis=1)


def landmarks_of(boxes: Floats, points: Floats) -> Floats:
    """O-Net's ten numbers, five x then five y as shares of its window, to pixels (n, 5, 2)."""
    width = (boxes[:, 2] - boxes[:, 0] + 1)[:, None]
    height = (boxes[:, 3] - boxes[:, 1] + 1)[:, None]
    x = width * points[:, :5] + boxes[:, 0:1] - 1
    y = height * points[:, 5:] + boxes[:, 1:2] - 1
    return np.stack([x, y], axis=2)
