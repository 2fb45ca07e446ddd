"""What is put around a trained network: its embedding of both mirror images, or of a crop magnified first."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mirrored(nn.Module):
    """The normalised sum of a network's embeddings of a face and of its mirror image, for the price of two.

    A network's mistakes on the two are partly different, and average out.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """float32 (n, 3, side, side) to unit vectors (n, d)."""
        both = self.network(torch.cat([x, x.flip(3)]))
        # A reshape, since the export of a slice would fix the number of faces.
        return functional.normalize(both.reshape(2, -1, both.shape[1]).sum(0), dim=1)


class Magnified(nn.Module):
    """A network on crops enlarged to `side` pixels: training saw no finer ones, so the service need not make any."""

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network = network
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """float32 (n, 3, crop, crop) to unit vectors (n, d)."""
        larger = functional.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        embeddings: Tensor = self.network(larger)
        return embeddings
