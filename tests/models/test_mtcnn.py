"""The exported detector is the package's, in operations that run faster."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from models.mtcnn import NETWORKS, WEIGHTS, PReLU, export, load, package_weights
from tests.faces.reference import MISSING, ReferenceDetector

pytestmark = pytest.mark.skipif(MISSING, reason="facenet-pytorch is not installed; `make train-env` installs it")
INPUTS = {"pnet": (1, 3, 57, 83), "rnet": (5, 3, 24, 24), "onet": (5, 3, 48, 48)}


def pictures(name: str) -> torch.Tensor:
    return torch.rand(INPUTS[name], generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 3, 5)])
def test_prelu_in_elementary_operations_gives_the_same_bits(shape: tuple[int, ...]) -> None:
    ours, theirs = PReLU(7), nn.PReLU(7)
    slopes = torch.linspace(-1.3, 1.3, 7)  # the trained ones reach beyond 0 and 1
    for layer in (ours, theirs):
        layer.weight.data.copy_(slopes)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_what_the_packages_own_give(name: str) -> None:
    theirs = dict(zip(NETWORKS, ReferenceDetector().networks, strict=True))[name]
    with torch.inference_mode():
        *expected, probability = theirs(pictures(name))
        *found, logit = load(name, package_weights())(pictures(name))
    for ours, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, reference)
    torch.testing.assert_close(logit[:, 0].sigmoid(), probability[:, 1])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
@pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_committed_files_are_what_an_export_gives(name: str, tmp_path: Path) -> None:
    feed = {"image": pictures(name).numpy()}
    fresh = ort.InferenceSession(export(name, package_weights(), tmp_path)).run(None, feed)
    committed = ort.InferenceSession(WEIGHTS / f"mtcnn_{name}.onnx").run(None, feed)
    for new, old in zip(fresh, committed, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
