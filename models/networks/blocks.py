"""Layers that the networks share. Tensors are (n, channels, height, width), channels last in memory."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, ReLU; the map keeps its size unless `stride` reduces it."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)), inplace=True)


class L2Pool(nn.Module):
    """Root of the mean square over 3x3, stride 1: the paper's L2 pooling (section 3.3)."""

    def forward(self, x: Tensor) -> Tensor:
        mean = functional.avg_pool2d(x * x, 3, stride=1, padding=1)
        return (mean + 1e-6).sqrt()


class Embedding(nn.Module):
    """Feature map to a point on the unit sphere: weighted average pool, linear, L2 normalisation.

    The paper averages the map evenly. In levelled crops a place always shows the same part of a face, so here each
    channel learns a weight for each place of a 4x4 map, beginning as the even average; maps of another size use the
    weights interpolated (the idea is MobileFaceNet's global depthwise convolution, Chen et al. 2018).
    """

    def __init__(self, inputs: int, embedding_size: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.ones(1, inputs, 4, 4))
        self.linear = nn.Linear(inputs, embedding_size, bias=False)
        # Batch norm keeps the coordinates centred, so that no direction of the sphere is wasted.
        self.norm = nn.BatchNorm1d(embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        place = self.place
        if size != place.shape[2:]:
            place = functional.interpolate(place, size=size, mode="bilinear", align_corners=True)
        x = self.norm(self.linear((x * place).mean((2, 3))))
        return functional.normalize(x.float(), dim=1)
