"""Networks in ncnn's format as PyTorch modules: teachers are often published so.

A network is two files, NAME.param (its layers, as text) and NAME.bin (its weights). The format is described in ncnn's
documentation ("param and model file structure"). Only the layers that face networks are made of are read.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

MAGIC = "7767517"
FLOAT32 = 0  # the tag before a layer's weights; other tags mean half floats or bytes

Parameters = dict[int, float]
Blobs = dict[str, Tensor]


class Weights:
    """The floats of a .bin file, handed out in the order in which layers stand in the .param file."""

    def __init__(self, path: Path) -> None:
        self._floats = np.fromfile(path, "<f4")
        self._next = 0

    def take(self, *shape: int) -> nn.Parameter:
        """The next floats; raises ValueError where the file is too short."""
        count = int(np.prod(shape))
        found = self._floats[self._next : self._next + count]
        if len(found) != count:
            raise ValueError(f"{count} weights wanted, {len(found)} are left: .bin and .param do not belong together")
        self._next += count
        return nn.Parameter(torch.from_numpy(found.copy()).view(*shape), requires_grad=False)

    def take_tagged(self, *shape: int) -> nn.Parameter:
        """The next floats behind their tag; raises ValueError where they are not stored as float32."""
        tag = int(self._floats[self._next : self._next + 1].view("<u4")[0])
        self._next += 1
        if tag != FLOAT32:
            raise ValueError(f"weights with tag {tag:#x} are not float32; convert the network with full precision")
        return self.take(*shape)

    @property
    def left(self) -> int:
        return len(self._floats) - self._next


def convolution(parameters: Parameters, weights: Weights) -> nn.Module:
    """`Convolution`, and `ConvolutionDepthWise` with its groups."""
    outputs, kernel, groups = (int(parameters.get(key, 1)) for key in (0, 1, 7))
    stride, padding, bias = (int(parameters.get(key, default)) for key, default in ((3, 1), (4, 0), (5, 0)))
    inputs_per_group = int(parameters[6]) // (outputs * kernel * kernel)
    layer = nn.Conv2d(inputs_per_group * groups, outputs, kernel, stride, padding, groups=groups, bias=bool(bias))
    layer.weight = weights.take_tagged(outputs, inputs_per_group, kernel, kernel)
    if bias:
        layer.bias = weights.take(outputs)
    return layer


def inner_product(parameters: Parameters, weights: Weights) -> nn.Module:
    outputs, bias, count = (int(parameters.get(key, 0)) for key in (0, 1, 2))
    layer = nn.Linear(count // outputs, outputs, bias=bool(bias))
    layer.weight = weights.take_tagged(outputs, count // outputs)
    if bias:
        layer.bias = weights.take(outputs)
    return nn.Sequential(nn.Flatten(), layer)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm of maps, or of vectors."""

    def forward(self, x: Tensor) -> Tensor:
        shaped = x if x.ndim == 4 else x[:, :, None, None]
        return super().forward(shaped).view(x.shape)


def batch_norm(parameters: Parameters, weights: Weights) -> nn.Module:
    channels = int(parameters[0])
    layer = BatchNorm(channels, eps=max(parameters.get(1, 0.0), 1e-12))  # PyTorch wants more than 0
    layer.weight = weights.take(channels)
    layer.running_mean, layer.running_var = weights.take(channels).data, weights.take(channels).data
    layer.bias = weights.take(channels)
    return layer


def prelu(parameters: Parameters, weights: Weights) -> nn.Module:
    layer = nn.PReLU(int(parameters[0]))
    layer.weight = weights.take(int(parameters[0]))
    return layer


class BinaryOp(nn.Module):
    """Sum, difference or product of two blobs, or of one and a number."""

    OPERATIONS: tuple[Callable[[Tensor, Tensor | float], Tensor], ...] = (torch.add, torch.sub, torch.mul)

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self.operation = self.OPERATIONS[int(parameters.get(0, 0))]
        self.number = parameters.get(2, 0.0) if parameters.get(1, 0) else None

    def forward(self, first: Tensor, *second: Tensor) -> Tensor:
        return self.operation(first, second[0] if self.number is None else self.number)


LAYERS: dict[str, Callable[[Parameters, Weights], nn.Module]] = {
    "Convolution": convolution,
    "ConvolutionDepthWise": convolution,
    "InnerProduct": inner_product,
    "BatchNorm": batch_norm,
    "PReLU": prelu,
    "BinaryOp": lambda parameters, _: BinaryOp(parameters),
    "Split": lambda _, __: nn.Identity(),
}


class NcnnNetwork(nn.Module):
    """float32 (n, channels, height, width), as the network wants its input, to the last layer's blob (n, d)."""

    def __init__(self, param: Path) -> None:
        """Reads NAME.param and NAME.bin; raises ValueError for what is not such a pair, or has other layers."""
        super().__init__()
        lines = param.read_text().split("\n")
        if lines[0].strip() != MAGIC:
            raise ValueError(f"{param} does not begin with {MAGIC}: not a network in ncnn's text format")
        weights = Weights(param.with_suffix(".bin"))
        self.layers = nn.ModuleList()
        self._wiring: list[tuple[list[str], list[str]]] = []
        for line in lines[2:]:
            if line.strip():
                self._append(line.split(), weights)
        if weights.left:
            raise ValueError(f"{weights.left} weights of {param.with_suffix('.bin')} belong to no layer of {param}")
        self.eval()

    def _append(self, words: list[str], weights: Weights) -> None:
        """One line: kind, name, counts of inputs and outputs, their names, parameters as number=value."""
        kind, inputs, outputs = words[0], int(words[2]), int(words[3])
        bottoms, tops = words[4 : 4 + inputs], words[4 + inputs : 4 + inputs + outputs]
        if kind == "Input":
            self._input = tops[0]
            return
        if kind not in LAYERS:
            raise ValueError(f"layers of kind {kind} are not read; known are {', '.join(LAYERS)}")
        parameters = {
            int(key): float(value) for key, value in (word.split("=") for word in words[4 + inputs + outputs :])
        }
        layer = LAYERS[kind](parameters, weights)
        follows = self._wiring and self._wiring[-1][1] == bottoms
        if kind == "BatchNorm" and follows and isinstance(self.layers[-1], nn.Conv2d):
            self.layers[-1] = fuse_conv_bn_eval(self.layers[-1].eval(), layer.eval())
            self._wiring[-1] = (self._wiring[-1][0], tops)
            return
        self.layers.append(layer)
        self._wiring.append((bottoms, tops))

    def forward(self, x: Tensor) -> Tensor:
        blobs: Blobs = {self._input: x}
        for layer, (bottoms, tops) in zip(self.layers, self._wiring, strict=True):
            x = layer(*(blobs.pop(name) for name in bottoms))
            blobs |= dict.fromkeys(tops, x)
        return x
