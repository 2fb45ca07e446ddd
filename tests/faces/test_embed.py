"""The embedder feeds an ONNX file as its card says."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from app.errors import ConfigurationError
from app.faces.card import CardInput
from app.faces.embed import FaceEmbedder, network_input
from tests.faces.conftest import card, write_embedder


def test_embeddings_are_unit_vectors_of_the_cards_size_and_batches_do_not_matter(tmp_path: Path) -> None:
    path = write_embedder(tmp_path / "tiny.onnx", card())
    embedder = FaceEmbedder(path)
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    together = embedder.embed(crops)
    assert (together.shape, together.dtype) == ((5, 8), np.float32)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    one_by_one = np.concatenate([embedder.embed(crop[None]) for crop in crops])
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    assert embedder.card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_card_says_colour_order_and_range() -> None:
    crops = np.array([[[[10, 20, 30]]]], np.uint8)
    rgb = network_input(crops, CardInput(crop_px=16, mean=10, std=5))
    bgr = network_input(crops, CardInput(crop_px=16, colour="BGR", mean=0, std=1))
    assert rgb[0, :, 0, 0].tolist() == [0, 2, 4]
    assert bgr[0, :, 0, 0].tolist() == [30, 20, 10]


def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="model_card"):
        FaceEmbedder(write_embedder(tmp_path / "bare.onnx", None))


def test_a_card_that_promises_another_size_is_refused(tmp_path: Path) -> None:
    path = write_embedder(tmp_path / "wrong.onnx", card(embedding_size=128))
    with pytest.raises(ConfigurationError, match=r"\(1, 8\), its card says \(1, 128\)"):
        FaceEmbedder(path)
