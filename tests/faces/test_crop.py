"""The crop that training, evaluation and the service share."""

import numpy as np
import pytest
from PIL import Image

from app.domain import FaceChoice
from app.faces.choose import choose_face
from app.faces.crop import TEMPLATE_112, CropSpec, crop_face, similarity_transform, source_scale
from app.faces.detect import FaceDetector
from tests.faces.conftest import face, photograph

TEMPLATE = np.array(TEMPLATE_112)
SPEC = CropSpec()


def ramp(height: int = 300, width: int = 400) -> np.ndarray:
    """Red counts columns and green counts rows, so that a pixel says where it comes from."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns / width * 255, rows / height * 255, np.zeros((height, width))], axis=2).astype(np.uint8)


def test_landmarks_on_the_template_give_the_pixels_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    crop = crop_face(photograph(pixels), face(0, 0, 112, 112, TEMPLATE), SPEC)
    np.testing.assert_allclose(crop.astype(int), pixels.astype(int), atol=1)  # the template is float32


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 2.4])
def test_the_crop_holds_what_lies_around_the_landmarks(scale: float) -> None:
    landmarks = TEMPLATE * scale + [100, 20]
    crop = crop_face(photograph(ramp()), face(0, 0, 1, 1, landmarks), SPEC).astype(float)
    centre = (np.array([56, 56]) * scale + [100, 20]) / [400, 300] * 255
    np.testing.assert_allclose(crop[54:58, 54:58, :2].mean((0, 1)), centre, atol=2)


def test_a_widened_crop_is_the_crop_with_more_around_it() -> None:
    landmarks = TEMPLATE * 1.3 + [90, 60]
    tight = crop_face(photograph(ramp()), face(0, 0, 1, 1, landmarks), SPEC)
    wide = crop_face(photograph(ramp()), face(0, 0, 1, 1, landmarks), SPEC.widened(8))
    assert wide.shape == (128, 128, 3)
    np.testing.assert_array_equal(wide[8:-8, 8:-8], tight)


def test_a_scaled_crop_is_the_same_part_of_the_face() -> None:
    landmarks = TEMPLATE * 1.3 + [90, 60]
    crop = crop_face(photograph(ramp()), face(0, 0, 1, 1, landmarks), SPEC).astype(float)
    double = crop_face(photograph(ramp()), face(0, 0, 1, 1, landmarks), SPEC.scaled(224)).astype(float)
    np.testing.assert_allclose(double.reshape(112, 2, 112, 2, 3).mean((1, 3)), crop, atol=2)


def test_what_lies_outside_the_photograph_is_black() -> None:
    white = np.full((112, 112, 3), 255, np.uint8)
    crop = crop_face(photograph(white), face(0, 0, 1, 1, TEMPLATE - [56, 0]), SPEC)
    assert (crop[:, :55] == 0).all()
    assert (crop[2:-2, 58:110] == 255).all()


@pytest.mark.parametrize("offset", [(0.0, 0.0), (-40.0, -25.0), (7.0, 3.0), (500.0, 300.0)])
@pytest.mark.parametrize("scale", [2.0, 2.6, 3.5, 6.1])
def test_shrinking_averages_pixels_in_place_also_at_borders(scale: float, offset: tuple[float, float]) -> None:
    """The same crop from a smooth photograph with and without averaging first agrees."""
    smooth = np.asarray(Image.fromarray(ramp(40, 60)).resize((900, 600), Image.Resampling.BICUBIC))
    landmarks = TEMPLATE * scale + offset
    crop = crop_face(photograph(smooth), face(0, 0, 1, 1, landmarks), SPEC).astype(int)
    matrix = similarity_transform(TEMPLATE, landmarks)
    sampled = Image.fromarray(smooth).transform(
        (112, 112), Image.Transform.AFFINE, matrix[:2].ravel().tolist(), Image.Resampling.BILINEAR
    )
    direct = np.asarray(sampled).astype(int)
    inside = (direct.sum(2) > 0) & (crop.sum(2) > 0)  # black borders may differ by a block
    assert inside.any()
    assert np.abs(crop - direct)[inside].mean() < 2.5


def test_shrinking_does_not_skip_pixels() -> None:
    stripes = np.zeros((900, 900, 3), np.uint8)
    stripes[:, ::4] = 255  # every fourth column
    crop = crop_face(photograph(stripes), face(0, 0, 1, 1, TEMPLATE * 8.01), SPEC)
    assert np.abs(crop[5:-5, 5:-5].astype(int) - 64).max() <= 3


def test_a_turned_photograph_gives_almost_the_same_crop(detector: FaceDetector, astronaut: Image.Image) -> None:
    crops = []
    for turned in (astronaut, astronaut.rotate(15, Image.Resampling.BICUBIC)):
        scene = photograph(turned)
        chosen = choose_face(detector.detect(scene), FaceChoice.LARGEST, scene)
        crops.append(crop_face(scene, chosen, SPEC)[16:-16, 16:-16].astype(float))
    assert np.corrcoef(crops[0].ravel(), crops[1].ravel())[0, 1] > 0.9


def test_the_transform_is_the_least_squares_similarity() -> None:
    rng = np.random.default_rng(5)
    source, target = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    best = similarity_transform(source, target)

    def error(matrix: np.ndarray) -> float:
        return float(((source @ matrix[:2, :2].T + matrix[:2, 2] - target) ** 2).sum())

    for _ in range(200):
        a, b, x, y = rng.normal(scale=0.05, size=4)
        assert error(best + np.array([[a, -b, x], [b, a, y], [0, 0, 0]])) >= error(best)


def test_source_scale_counts_photograph_pixels_per_crop_pixel() -> None:
    assert source_scale(face(0, 0, 1, 1, TEMPLATE * 2.5 + 9), SPEC) == pytest.approx(2.5, rel=1e-5)
