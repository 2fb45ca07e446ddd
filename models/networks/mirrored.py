"""An embedding that does not depend on which way round the face is."""

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
