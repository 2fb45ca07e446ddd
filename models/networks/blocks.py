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
        return (mean_around(x * x, framed=x.is_cuda) + 1e-6).sqrt()


def mean_around(x: Tensor, *, framed: bool) -> Tensor:
    """Means over 3x3, stride 1, with noughts around the map; `framed` puts them there first, for the same result.

    On CUDA, PyTorch's slopes of a padded average are wrong for maps that are channels last (pytorch/pytorch issue
    188344, met with 2.11), and networks with this pool learn nothing there.
    """
    if framed:
        return functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, stride=1)
    return functional.avg_pool2d(x, 3, stride=1, padding=1)


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


class FlatEmbedding(nn.Module):
    """Feature map to a point on the unit sphere through a fully connected layer, for pictures of one size only."""

    def __init__(self, inputs: int, hidden: int, embedding_size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden, bias=False)
        self.hidden_norm = nn.BatchNorm1d(hidden)
        self.linear = nn.Linear(hidden, embedding_size, bias=False)
        self.norm = nn.BatchNorm1d(embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.hidden_norm(self.hidden(x.flatten(1))), inplace=True)
        return functional.normalize(self.norm(self.linear(x)).float(), dim=1)


class Maxout(nn.Module):
    """Fully connected layer whose outputs are each the larger of two (Goodfellow et al. 2013; "maxout p=2")."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.linear(x).chunk(2, dim=1)
        return torch.maximum(first, second)


class LocalConv(nn.Module):
    """Convolution whose weights differ from place to place, without padding, for maps of one size (height, width).

    With `shared` above 1, squares of that many places a side share their weights (DeepID2's third layer).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, size: tuple[int, int], stride: int = 1, shared: int = 1
    ) -> None:
        super().__init__()
        self.outputs, self.kernel, self.stride = outputs, kernel, stride
        height, width = self.output_size = tuple((side - kernel) // stride + 1 for side in size)
        rows, columns = torch.arange(height) // shared, torch.arange(width) // shared
        regions_wide = -(-width // shared)
        regions = regions_wide * -(-height // shared)
        self.register_buffer("region", (rows[:, None] * regions_wide + columns).flatten(), persistent=False)
        self.shared = shared
        self.weight = nn.Parameter(torch.empty(regions, inputs * kernel * kernel, outputs))
        self.bias = nn.Parameter(torch.zeros(1, outputs, height, width))
        nn.init.normal_(self.weight, std=(2.0 / (inputs * kernel * kernel)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        patches = functional.unfold(x, self.kernel, stride=self.stride).permute(2, 0, 1)
        weight = self.weight if self.shared == 1 else self.weight[self.region]
        places = torch.bmm(patches, weight).permute(1, 2, 0)
        return places.reshape(-1, self.outputs, *self.output_size) + self.bias


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """Height and width after so many layers of stride 2 that keep borders."""
    height, width = size
    for _ in range(times):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width
