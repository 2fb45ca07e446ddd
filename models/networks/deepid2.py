"""DeepID2's network (Sun et al. 2014, figure 1): four convolutions, the last ones bound to places of the face.

Weights of the third are shared within squares of 2x2 places, those of the fourth not at all; the embedding reads
the third and the fourth. The paper ends in ReLU and has 160 coordinates of any length; here they are a unit vector
without ReLU, which would confine it to one orthant. The paper sees 25 patches of a face, this network one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.blocks import LocalConv
from models.networks.count import Size


class DeepID2(nn.Module):
    """float32 (n, 3, height, width) to unit vectors (n, embedding_size) of one height and width; the paper: 55x47."""

    def __init__(self, embedding_size: int, size: Size) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 20, 4), nn.Conv2d(20, 40, 3)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        height, width = (_pooled(_pooled(side - 3) - 2) for side in size)
        self.conv3 = LocalConv(40, 60, 3, (height, width), shared=2)
        height, width = (_pooled(side) for side in self.conv3.output_size)
        self.conv4 = LocalConv(60, 80, 2, (height, width))
        inputs = 60 * height * width + 80 * (height - 1) * (width - 1)
        self.deepid2 = nn.Linear(inputs, embedding_size)
        for layer in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.conv1, self.conv2, self.conv3):
            x = self.pool(functional.relu(layer(x)))
        last = functional.relu(self.conv4(x))
        return functional.normalize(self.deepid2(torch.cat([x.flatten(1), last.flatten(1)], dim=1)).float(), dim=1)


def _pooled(side: int) -> int:
    return (side + 1) // 2
