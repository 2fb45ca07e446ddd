"""Networks in ncnn's format, written here by hand, against PyTorch's own layers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from models.ncnn import NcnnNetwork

PARAM = """7767517
10 11
Input            data   0 1 data
BinaryOp         minus  1 1 data minus 0=1 1=1 2=127.500000
Convolution      conv   1 1 minus conv 0=4 1=3 11=3 3=2 13=2 4=1 14=1 5=1 6=108
BatchNorm        norm   1 1 conv norm 0=4 1=0.001
PReLU            relu   1 1 norm relu 0=4
Split            split  1 2 relu left right
ConvolutionDepthWise dw 1 1 left dw 0=4 1=3 3=1 4=1 5=0 6=36 7=4
BinaryOp         plus   2 1 dw right plus 0=0
InnerProduct     fc     1 1 plus fc 0=5 1=1 2=1600
BatchNorm        last   1 1 fc last 0=5
"""
TAG = np.zeros(1, "<f4")


class Weights:
    """What the file above needs, in its order; `floats` is the .bin file."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> torch.Tensor:
            return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

        self.conv, self.conv_bias = draw(4, 3, 3, 3), draw(4)
        self.norm = [draw(4), draw(4), draw(4).abs() + 0.5, draw(4)]  # slope, mean, variance, bias
        self.slopes, self.depthwise = draw(4).abs(), draw(4, 1, 3, 3)
        self.fc, self.fc_bias = draw(5, 320), draw(5)
        self.last = [draw(5), draw(5), draw(5).abs() + 0.5, draw(5)]
        parts = [TAG, self.conv, self.conv_bias, *self.norm, self.slopes, TAG, self.depthwise]
        parts += [TAG, self.fc, self.fc_bias, *self.last]
        self.floats = np.concatenate([np.asarray(part).ravel() for part in parts]).astype("<f4")


def expected(weights: Weights, x: torch.Tensor) -> torch.Tensor:
    x = functional.conv2d(x - 127.5, weights.conv, weights.conv_bias, stride=2, padding=1)
    slope, mean, variance, bias = weights.norm
    x = functional.prelu(functional.batch_norm(x, mean, variance, slope, bias, eps=0.001), weights.slopes)
    x = functional.conv2d(x, weights.depthwise, padding=1, groups=4) + x
    x = functional.linear(x.flatten(1), weights.fc, weights.fc_bias)
    slope, mean, variance, bias = weights.last
    return functional.batch_norm(x, mean, variance, slope, bias, eps=0)


def written(folder: Path, weights: Weights, param: str = PARAM, floats: slice = slice(None)) -> Path:
    (folder / "net.param").write_text(param)
    weights.floats[floats].tofile(folder / "net.bin")
    return folder / "net.param"


def test_a_network_computes_what_its_layers_say(tmp_path: Path) -> None:
    weights = Weights()
    x = torch.rand(3, 3, 16, 20, generator=torch.Generator().manual_seed(1)) * 255
    network = NcnnNetwork(written(tmp_path, weights))
    torch.testing.assert_close(network(x), expected(weights, x), rtol=1e-4, atol=1e-2)
    norms = [layer for layer in network.layers if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 1  # the other one is folded into its convolution


@pytest.mark.parametrize(
    ("param", "floats", "said"),
    [
        (PARAM, slice(-1), "5 weights wanted, 4 are left"),
        (PARAM.replace("7767517", "7767516"), slice(None), "does not begin with 7767517"),
        (PARAM.replace("PReLU", "Swish"), slice(None), "layers of kind Swish are not read"),
        (
            PARAM.replace("BatchNorm        last   1 1 fc last 0=5", ""),
            slice(None),
            "20 weights of .* belong to no layer",
        ),
    ],
    ids=["too few weights", "another format", "an unknown layer", "too many weights"],
)
def test_what_is_not_such_a_network_is_refused(tmp_path: Path, param: str, floats: slice, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NcnnNetwork(written(tmp_path, Weights(), param, floats))


def test_weights_in_half_precision_are_refused_with_their_tag(tmp_path: Path) -> None:
    weights = Weights()
    weights.floats[:1] = np.array([0x01306B47], "<u4").view("<f4")
    with pytest.raises(ValueError, match="tag 0x1306b47 are not float32"):
        NcnnNetwork(written(tmp_path, weights))
