"""A served file back to a network that computes the same and can be trained on."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from models.export import export_network
from models.networks import build
from models.networks.mirrored import Mirrored
from models.reopen import measure_norms, reopen
from tests.models.conftest import write_crops

SERVED = Path(__file__).parents[2] / "models" / "weights" / "facenet-nn2-128.onnx"

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
    pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


def pictures(folder: Path, side: int) -> torch.Tensor:
    crops = np.load(write_crops(folder, side=side) / "part-00000.npy")
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float().sub(127.5).div(127.5)


def embedded(path: Path, images: torch.Tensor) -> torch.Tensor:
    (found,) = ort.InferenceSession(path).run(None, {"faces": images.numpy()})
    return torch.from_numpy(found)


@pytest.fixture
def trained() -> nn.Module:
    """A network whose norms have seen something, as those of a trained one have."""
    torch.manual_seed(1)
    network = build("nn2", 32, 112)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    nn.init.normal_(network.embedding.place, mean=1, std=0.2)
    return network.eval()


@pytest.mark.parametrize("side", [64, 112])
def test_an_exported_network_computes_the_same_once_reopened(tmp_path: Path, trained: nn.Module, side: int) -> None:
    export_network(Mirrored(trained).eval(), side, tmp_path / "net.onnx")
    images, network = pictures(tmp_path / "crops", side), build("nn2", 32, side)
    reopen(tmp_path / "net.onnx", network, images)
    expected = embedded(tmp_path / "net.onnx", images)
    with torch.inference_mode():
        torch.testing.assert_close(Mirrored(network).eval()(images), expected, atol=1e-4, rtol=0)
        # With the norms of the batch itself, as in training, nothing changes either: they were measured on it.
        own = network.eval()(images)
        torch.testing.assert_close(network.train()(images), own, atol=5e-3, rtol=0)


def test_the_served_file_of_eight_bits_is_reopened_within_its_rounding(tmp_path: Path) -> None:
    images, network = pictures(tmp_path, 112), build("nn2", 128, 112)
    reopen(SERVED, network, images)
    with torch.inference_mode():
        found = Mirrored(network).eval()(images)
    assert (found - embedded(SERVED, images)).square().sum(1).mean() < 0.02


def test_weights_are_as_long_as_fresh_ones(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = build("nn2", 128, 112)
    layers = {name: w for name, w in network.named_parameters() if name.endswith(("conv.weight", "linear.weight"))}
    fresh = {name: weight.norm() for name, weight in layers.items()}
    reopen(SERVED, network, pictures(tmp_path, 112))
    for name, length in fresh.items():
        torch.testing.assert_close(network.get_parameter(name).norm(), length, rtol=1e-4, atol=0)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="42 layers that are not the 39 of this network"):
        reopen(SERVED, build("nn4", 128, 112), pictures(tmp_path, 112))


def test_measured_norms_change_nothing_where_they_were_measured(tmp_path: Path, trained: nn.Module) -> None:
    images = pictures(tmp_path, 64)
    with torch.inference_mode():
        before = trained(images)
    measure_norms(trained, images)
    with torch.inference_mode():
        torch.testing.assert_close(trained(images), before, atol=1e-4, rtol=0)
