"""Non-maximum suppression against a double loop, on both sides of the size at which the method changes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.faces.overlap import non_maximum


def boxes_of(count: int, seed: int = 2) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Random boxes, many of which overlap, and their scores, no two of which are equal."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 60, (count, 2)), rng.uniform(10, 40, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32), rng.permutation(count).astype(np.float32)


def double_loop(boxes: NDArray[np.float32], scores: NDArray[np.float32], of_smaller: bool, pixel: float) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores):
        for j in kept:
            edge = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2]) + pixel
            shared = max(edge[0], 0) * max(edge[1], 0)
            areas = [np.prod(boxes[k, 2:] - boxes[k, :2] + pixel) for k in (i, j)]
            if shared > 0.5 * (min(areas) if of_smaller else sum(areas) - shared):
                break
        else:
            kept.append(int(i))
    return kept


@pytest.mark.parametrize("of_smaller", [False, True])
@pytest.mark.parametrize("pixel", [0.0, 1.0])
@pytest.mark.parametrize("count", [0, 1, 2, 80, 256, 257, 600])
def test_what_a_double_loop_keeps_is_kept(count: int, pixel: float, of_smaller: bool) -> None:
    boxes, scores = boxes_of(count)
    kept = non_maximum(boxes, scores, 0.5, of_smaller=of_smaller, pixel=pixel)
    assert kept.tolist() == double_loop(boxes, scores, of_smaller, pixel)


@pytest.mark.parametrize(("of_smaller", "best"), [(False, 0), (True, 2)])
def test_of_equal_scores_the_one_wins_that_wins_in_the_reference(of_smaller: bool, best: int) -> None:
    boxes = np.array([[0, 0, 10, 10]] * 3, np.float32)
    assert non_maximum(boxes, np.ones(3, np.float32), 0.5, of_smaller=of_smaller).tolist() == [best]


@pytest.mark.parametrize("of_smaller", [False, True])
@pytest.mark.parametrize("counts", [(80, 1, 0, 100), (200, 57)], ids=["few", "many"])
def test_boxes_of_several_pictures_are_suppressed_as_in_each(counts: tuple[int, ...], of_smaller: bool) -> None:
    each = [boxes_of(count, seed) for seed, count in enumerate(counts)]
    boxes, scores = (np.concatenate(part) for part in zip(*each, strict=True))
    kept = non_maximum(boxes, scores, 0.5, of=np.repeat(np.arange(len(counts)), counts), of_smaller=of_smaller)
    starts = np.cumsum([0, *counts])
    alone = [start + non_maximum(*one, 0.5, of_smaller=of_smaller) for start, one in zip(starts, each, strict=False)]
    assert kept.tolist() == np.concatenate(alone).tolist()
