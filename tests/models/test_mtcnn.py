"""The detector's files against the package's own networks, on real and on made-up pictures."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.faces.area import AreaTable
from app.faces.pyramid import layout_of
from models.mtcnn import NETWORKS, WEIGHTS, export, package_weights
from tests.faces.reference import MISSING, ReferenceDetector

pytestmark = pytest.mark.skipif(MISSING, reason="facenet-pytorch is not installed; `make train-env` installs it")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def reference() -> dict[str, torch.nn.Module]:
    return dict(zip(NETWORKS, ReferenceDetector().networks, strict=True))


def run(name: str, **inputs: NDArray) -> NDArray:
    return ort.InferenceSession(WEIGHTS / f"mtcnn_{name}.onnx").run(None, inputs)[0]


def probability(logit: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-logit))


def theirs(network: torch.nn.Module, image: NDArray) -> list[NDArray]:
    """The package's network on float32 (n, 3, height, width) of 0 to 255."""
    with torch.inference_mode():
        return [output.numpy() for output in network((torch.from_numpy(image) - 127.5) / 128)]


def test_rnet_gives_what_the_packages_own_gives(reference: dict[str, torch.nn.Module]) -> None:
    image = RNG.uniform(0, 255, (5, 3, 24, 24)).astype(np.float32)
    offsets, scores = theirs(reference["rnet"], image)
    found = run("rnet", image=image)
    np.testing.assert_allclose(found[:, :4], offsets, atol=1e-4)
    np.testing.assert_allclose(probability(found[:, 4]), scores[:, 1], atol=1e-5)


def test_onet_gives_what_the_packages_own_gives(reference: dict[str, torch.nn.Module]) -> None:
    image = RNG.uniform(0, 255, (5, 3, 48, 48)).astype(np.float32)
    offsets, landmarks, scores = theirs(reference["onet"], image)
    found = run("onet", image=image)
    np.testing.assert_allclose(found[:, :4], offsets, atol=1e-4)
    np.testing.assert_allclose(found[:, 4:14], landmarks, atol=1e-4)
    np.testing.assert_allclose(probability(found[:, 14]), scores[:, 1], atol=1e-5)


@pytest.mark.parametrize("size", [(250, 250), (187, 301), (300, 111), (41, 40)])
def test_pnet_gives_for_every_window_of_every_level_what_the_packages_own_gives_for_the_level_alone(
    reference: dict[str, torch.nn.Module], astronaut: Image.Image, size: tuple[int, int]
) -> None:
    table = AreaTable(np.asarray(astronaut.resize(size)))
    layout = layout_of(table.height, table.width, 40.0)
    assert layout is not None
    expected = []
    scale = 12 / 40
    while min(size) * scale >= 12:
        level = table.resize(int(table.height * scale + 1), int(table.width * scale + 1))
        offsets, scores = theirs(reference["pnet"], level[None])
        expected.append(np.concatenate([scores[:, 1:], offsets], axis=1)[0].reshape(5, -1).T)
        scale *= 0.709
    # Boxes side by side, which suppress none and say which window they are.
    number = np.arange(len(layout.positions), dtype=np.float32)
    boxes = np.stack([20 * number, 0 * number, 20 * number + 10, 0 * number + 10], axis=1)
    found = run(
        "pnet",
        image=layout.picture(table),
        positions=layout.positions,
        windows=boxes,
        apart=boxes,
        min_score=np.array([-1], np.float32),
    )
    assert (np.diff(found[:, 4]) <= 0).all()
    in_order = found[np.argsort(found[:, 0])]
    np.testing.assert_array_equal(in_order[:, :4], boxes)
    np.testing.assert_allclose(in_order[:, 4:], np.concatenate(expected), atol=1e-4)


def test_pnet_may_find_nothing(astronaut: Image.Image) -> None:
    table = AreaTable(np.asarray(astronaut))
    layout = layout_of(512, 512, 100.0)
    assert layout is not None
    window = {"positions": layout.positions, "windows": layout.windows, "apart": layout.apart}
    found = run("pnet", image=layout.picture(table), min_score=np.array([1], np.float32), **window)
    assert found.shape == (0, 9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_committed_files_are_what_an_export_gives(name: str, tmp_path: Path) -> None:
    fresh = export(name, package_weights(), tmp_path).read_bytes()
    assert fresh == (WEIGHTS / f"mtcnn_{name}.onnx").read_bytes()
