"""Layers that the networks share. Tensors are (n, channels, height, width), channels last in memory."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU. The weight is kept as a matrix (out, in * k * k).

    As a matrix it can be optimised by methods that work on matrices (Muon); the arithmetic is that of Conv2d.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.shape = (outputs, inputs, kernel, kernel)
        self.stride, self.padding = stride, kernel // 2
        self.weight = nn.Parameter(torch.empty(outputs, inputs * kernel * kernel))
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight.view(self.shape), stride=self.stride, padding=self.padding)
        return functional.relu(self.norm(x), inplace=True)


class L2Pool(nn.Module):
    """Root of the mean square over 3x3, stride 1: the paper's L2 pooling (section 3.3)."""

    def forward(self, x: Tensor) -> Tensor:
        mean = functional.avg_pool2d(x * x, 3, stride=1, padding=1)
        return (mean + 1e-6).sqrt()


class Embedding(nn.Module):
    """Feature map to a point on the unit sphere: global average pool, linear, L2 normalisation."""

    def __init__(self, inputs: int, embedding_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, embedding_size, bias=False)
        # Batch norm keeps the coordinates centred, so that no direction of the sphere is wasted.
        self.norm = nn.BatchNorm1d(embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.linear(x.mean((2, 3))))
        return functional.normalize(x.float(), dim=1)
