"""All levels of the pyramid in one picture: where they lie, what they show, and the windows on them."""

import numpy as np
import pytest

from app.faces.area import AreaTable
from app.faces.pyramid import WINDOW_PX, Level, layout_of, placed

RNG = np.random.default_rng(5)
SIZES = [(250, 250), (301, 187), (111, 640), (40, 40), (41, 3000), (1500, 1300)]


def levels_of(height: int, width: int, min_face_px: float) -> list[Level]:
    scale, levels = WINDOW_PX / min_face_px, []
    while min(height, width) * scale >= WINDOW_PX:
        levels.append(Level(scale, int(height * scale + 1), int(width * scale + 1)))
        scale *= 0.709
    return levels


@pytest.mark.parametrize("size", SIZES)
def test_levels_lie_inside_the_picture_at_even_places_and_none_on_another(size: tuple[int, int]) -> None:
    levels, whole = placed(levels_of(*size, 40.0))
    count = np.zeros(whole, int)
    for level in levels:
        assert (level.top % 2, level.left % 2) == (0, 0)
        assert count[level.place].shape == (level.height, level.width)
        count[level.place] += 1
    assert count.max() == 1
    assert count.mean() > 0.75


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("min_face_px", [20.0, 40.0])
def test_each_level_is_the_photograph_in_its_size(size: tuple[int, int], min_face_px: float) -> None:
    """The last photograph's least levels have bins of 100 x 100 pixels, whose sums need more than 21 bits."""
    table = AreaTable(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))
    layout = layout_of(*size, min_face_px)
    assert layout is not None
    picture = layout.picture(table)
    levels, whole = placed(levels_of(*size, min_face_px))
    assert picture.shape == (1, 4, *whole)
    for level in levels:
        expected = table.resize(level.height, level.width)
        np.testing.assert_allclose(picture[0, :3, *level.place], expected, atol=1e-3)


def test_windows_are_twelve_pixels_of_their_level_two_apart_in_rows() -> None:
    layout = layout_of(100, 90, 40.0)
    assert layout is not None
    first = 9 * 10  # of the level 31 x 28: (31 - 1) // 2 - 4 = 11 rows of (28 - 1) // 2 - 4 = 9
    np.testing.assert_array_equal(layout.windows[:2], [[3, 3, 40, 40], [10, 3, 46, 40]])
    np.testing.assert_array_equal(layout.windows[first], [3, 70, 40, 106])
    assert len(np.unique(layout.positions)) == len(layout.positions) == len(layout.windows)


def test_windows_of_two_levels_lie_apart_where_they_are_told_apart() -> None:
    layout = layout_of(250, 250, 40.0)
    assert layout is not None
    level = np.searchsorted(
        np.unique(layout.apart[:, 0] - layout.windows[:, 0]), layout.apart[:, 0] - layout.windows[:, 0]
    )
    assert (np.diff(level) >= 0).all()
    right = [layout.apart[level == i, 2].max() for i in range(level.max() + 1)]
    left = [layout.apart[level == i, 0].min() for i in range(level.max() + 1)]
    assert len(right) == len(levels_of(250, 250, 40.0))
    assert all(end < start for end, start in zip(right, left[1:], strict=False))


def test_a_photograph_smaller_than_the_smallest_face_has_no_pyramid() -> None:
    assert layout_of(39, 500, 40.0) is None


def test_the_layout_is_kept_for_photographs_of_the_same_size_unless_it_is_large() -> None:
    assert layout_of(250, 250, 40.0) is layout_of(250, 250, 40.0)
    assert layout_of(1500, 1300, 40.0) is not layout_of(1500, 1300, 40.0)
