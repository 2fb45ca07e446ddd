"""Non-maximum suppression against a double loop, on both sides of the size at which the method changes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.faces.overlap import near, non_maximum


def boxes_of(count: int, seed: int = 2) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Random boxes, many of which overlap, and their scores, no two of which are equal."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 60, (count, 2)), rng.uniform(10, 40, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32), rng.permutation(count).astype(np.float32)


def too_near(one: NDArray[np.float32], other: NDArray[np.float32], of_smaller: bool, pixel: float) -> bool:
    """Whether two boxes, float32 (4,), overlap by more than a half."""
    edge = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + pixel
    shared = max(edge[0], 0) * max(edge[1], 0)
    areas = [np.prod(box[2:] - box[:2] + pixel) for box in (one, other)]
    return bool(shared > 0.5 * (min(areas) if of_smaller else sum(areas) - shared))


def double_loop(boxes: NDArray[np.float32], scores: NDArray[np.float32], of_smaller: bool, pixel: float) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores):
        if not any(too_near(boxes[i], boxes[j], of_smaller, pixel) for j in kept):
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


@pytest.mark.parametrize("count", [0, 1, 40, 700])
def test_near_are_those_that_overlap_any_of_the_chosen_in_their_picture(count: int) -> None:
    boxes, _ = boxes_of(count)
    rng = np.random.default_rng(count)
    of, chosen = np.sort(rng.integers(0, 3, count)), np.flatnonzero(rng.random(count) < 0.4)
    expected = [
        any(of[i] == of[j] and too_near(boxes[i], boxes[j], of_smaller=False, pixel=0.0) for j in chosen)
        for i in range(count)
    ]
    assert near(boxes, chosen, 0.5, of=of).tolist() == expected
