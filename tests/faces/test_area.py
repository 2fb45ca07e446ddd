"""Area resampling against PyTorch's adaptive average pooling, which the detector's networks were trained with."""

import numpy as np
import pytest
import torch

from app.faces.area import AreaTable, AreaTables

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (61, 83, 3), dtype=np.uint8)
LONG_ROWS = RNG.integers(0, 256, (200, 900, 3), dtype=np.uint8)


def pooled(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    planes = torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1)[None]
    return torch.nn.functional.adaptive_avg_pool2d(planes, (height, width))[0].numpy()


@pytest.mark.parametrize(("height", "width"), [(61, 83), (30, 41), (7, 5), (1, 1), (90, 120)])
@pytest.mark.parametrize("pixels", [PIXELS, LONG_ROWS], ids=["short rows", "long rows"])
def test_a_photograph_resizes_as_by_adaptive_average_pooling(pixels: np.ndarray, height: int, width: int) -> None:
    np.testing.assert_allclose(AreaTable(pixels).resize(height, width), pooled(pixels, height, width), atol=1e-3)


@pytest.mark.parametrize("size", [24, 48, 3])
def test_crops_resize_as_if_they_had_been_cut_out_first(size: int) -> None:
    boxes = np.array([[0, 0, 83, 61], [10, 20, 11, 21], [5, 7, 60, 50], [70, 40, 83, 61]])
    crops = AreaTable(PIXELS).crops(boxes, size)
    for crop, (left, top, right, bottom) in zip(crops, boxes, strict=True):
        np.testing.assert_allclose(crop, pooled(PIXELS[top:bottom, left:right], size, size), atol=1e-3)


def test_sums_beyond_thirty_two_bits_do_not_matter() -> None:
    white = np.full((4200, 4200, 3), 255, np.uint8)  # each channel sums to 4.5e9
    np.testing.assert_allclose(AreaTable(white).resize(11, 13), 255, rtol=1e-6)


def test_bins_of_any_size_keep_the_colours_apart() -> None:
    """A bin of 2,100 x 1,050 pixels sums to 562 million, far beyond the 21 bits that a colour has."""
    tall = np.full((4200, 2100, 3), [255, 254, 1], np.uint8)
    means = AreaTable(tall).crops(np.array([[0, 0, 2100, 4200], [7, 3, 9, 4100]]), 2)
    np.testing.assert_allclose(
        means, np.broadcast_to(np.array([255, 254, 1])[None, :, None, None], means.shape), rtol=1e-6
    )


def test_crops_of_several_photographs_are_those_of_each() -> None:
    pictures = [PIXELS, RNG.integers(0, 256, (30, 200, 3), dtype=np.uint8), np.full((4200, 2100, 3), 7, np.uint8)]
    boxes = np.array([[5, 7, 60, 50], [0, 0, 83, 61], [100, 2, 190, 30], [0, 0, 2100, 4200]])
    of = np.array([0, 0, 1, 2])
    together = AreaTables(pictures)
    for crop, box, i in zip(together.crops(boxes, of, 6), boxes, of, strict=True):
        np.testing.assert_array_equal(crop, AreaTable(pictures[i]).crops(box[None], 6)[0])
    assert together.sizes.tolist() == [[83, 61], [200, 30], [2100, 4200]]
    for table, pixels in zip(together.each, pictures, strict=True):
        np.testing.assert_array_equal(table.resize(5, 4), AreaTable(pixels).resize(5, 4))
