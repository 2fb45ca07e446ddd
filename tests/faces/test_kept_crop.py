"""Crops as they are kept: what the embedder saw can be made of them again, to the pixel."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from app.faces import kept_crop
from app.faces.crop import CropSpec
from app.faces.pipeline import FacePipeline
from app.service import FaceService

SPEC = CropSpec()


@pytest.fixture
def kept() -> np.ndarray:
    side = kept_crop.kept_spec(SPEC).crop_px
    return np.random.default_rng(3).integers(0, 256, (side, side, 3), np.uint8)


@pytest.fixture
def pipeline(service: FaceService) -> FacePipeline:
    return service.pipeline


def test_the_embedder_that_a_crop_was_kept_for_sees_the_same_pixels_again(kept: np.ndarray) -> None:
    crop = kept_crop.encode(kept, kept_crop.kept_spec(SPEC))
    assert np.array_equal(kept_crop.crop_again(crop, SPEC), kept_crop.middle(kept, SPEC))


def test_a_larger_crop_of_the_same_template_is_the_same_face_enlarged() -> None:
    side = kept_crop.kept_spec(SPEC).crop_px
    ramp = np.tile(np.linspace(0, 255, side).astype(np.uint8)[None, :, None], (side, 1, 3))
    crop = kept_crop.encode(ramp, kept_crop.kept_spec(SPEC))
    doubled = CropSpec(224, tuple((2 * x, 2 * y) for x, y in SPEC.template))
    twice = kept_crop.crop_again(crop, doubled).astype(float)
    once = kept_crop.crop_again(crop, SPEC).astype(float)
    assert twice.shape == (224, 224, 3)
    np.testing.assert_allclose(twice[::2, ::2], once, atol=3)


def test_the_embedding_can_be_made_again_of_the_kept_crop(pipeline: FacePipeline, portrait: bytes) -> None:
    face = asyncio.run(pipeline.embed(portrait, keep_crop=True))
    assert face.crop is not None
    pixels = kept_crop.crop_again(face.crop, pipeline.card.input.spec)
    again = pipeline.inference._embedder.embed(pixels[None])[0]
    np.testing.assert_allclose(again, face.embedding, atol=1e-5)


def test_keeping_the_crop_of_a_small_photograph_changes_nothing_else(pipeline: FacePipeline, portrait: bytes) -> None:
    without, with_crop = (asyncio.run(pipeline.embed(portrait, keep_crop=keep)) for keep in (False, True))
    assert without.crop is None
    np.testing.assert_allclose(with_crop.embedding, without.embedding, atol=1e-5)


def test_a_kept_crop_is_a_small_lossless_webp(pipeline: FacePipeline, portrait: bytes) -> None:
    face = asyncio.run(pipeline.embed(portrait, keep_crop=True))
    assert face.crop is not None
    with Image.open(io.BytesIO(face.crop.webp)) as image:
        assert (image.format, image.size) == ("WEBP", (140, 140))
    assert b"VP8L" in face.crop.webp[:32]
    assert len(face.crop.webp) < 60_000
