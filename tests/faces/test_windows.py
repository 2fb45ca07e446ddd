"""MTCNN's boxes: what of them lies in a photograph, and how they move."""

import numpy as np
import pytest

from app.faces.windows import landmarks_of, moved, probability, regressed, squared, windows

BOX = np.array([[10, 20, 40, 30, 0.5]], np.float32)


def test_a_window_is_the_part_of_its_box_inside_its_own_photograph_counted_from_one() -> None:
    boxes = np.array([[-3.7, 5.2, 20.9, 30.9, 1], [1, 1, 300, 300, 1], [1, 1, 300, 300, 1]], np.float32)
    inside, parts = windows(boxes, np.array([[50, 25], [250, 250], [100, 80]]))
    assert inside.tolist() == [True, True, True]
    assert parts.tolist() == [[0, 4, 20, 25], [0, 0, 250, 250], [0, 0, 100, 80]]


def test_a_box_beside_its_photograph_is_none() -> None:
    boxes = np.array([[60, 1, 90, 20, 1], [1, 1, 20, 20, 1], [-30, 1, 0.5, 20, 1]], np.float32)
    inside, parts = windows(boxes, np.array([[50, 50]] * 3))
    assert inside.tolist() == [False, True, False]
    assert parts.tolist() == [[0, 0, 20, 20]]


def test_offsets_are_shares_of_the_box_which_p_net_measures_without_its_last_pixel() -> None:
    offsets = np.array([[0.1, 0, 0, -0.1]], np.float32)
    np.testing.assert_allclose(moved(BOX, offsets), [[13, 20, 40, 29, 0.5]])
    np.testing.assert_allclose(regressed(BOX, offsets), [[13.1, 20, 40, 28.9, 0.5]], rtol=1e-6)


def test_a_square_has_the_longer_side_and_the_same_centre() -> None:
    np.testing.assert_allclose(squared(BOX), [[10, 10, 40, 40, 0.5]])


def test_landmarks_are_shares_of_the_window_first_across_and_then_down() -> None:
    points = np.array([[0, 0.5, 1, 0, 0, 0, 0.5, 1, 0, 0]], np.float32)
    np.testing.assert_allclose(landmarks_of(BOX, points)[0, :3], [[9, 19], [24.5, 24.5], [40, 30]])


def test_a_probability_is_right_and_silent_however_large_its_logit_is() -> None:
    likely = probability(np.array([-1000, 0, 1, 1000], np.float32))
    assert likely == pytest.approx([0, 0.5, 1 / (1 + np.exp(-1)), 1])
