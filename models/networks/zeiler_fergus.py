"""NN1, the paper's Zeiler-Fergus network with 1x1 convolutions between (table 1).

Batch norm after every convolution stands in place of the table's two local response normalisations.
"""

from torch import Tensor, nn
from torch.nn import functional

from models.networks.blocks import ConvNorm, Maxout, halved
from models.networks.count import Size

FULLY_CONNECTED = 32 * 128


def pool() -> nn.Module:
    return nn.MaxPool2d(3, 2, padding=1)


class NN1(nn.Module):
    """float32 (n, 3, height, width) to unit vectors (n, embedding_size) for one height and width; the paper has 220."""

    def __init__(self, embedding_size: int, size: Size) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(ConvNorm(3, 64, 7, stride=2), pool()),
            *(ConvNorm(64, 64), ConvNorm(64, 192, 3), pool()),
            *(ConvNorm(192, 192), ConvNorm(192, 384, 3), pool()),
            *(ConvNorm(384, 384), ConvNorm(384, 256, 3)),
            *(ConvNorm(256, 256), ConvNorm(256, 256, 3)),
            *(ConvNorm(256, 256), ConvNorm(256, 256, 3), pool()),
        )
        height, width = halved(size, 5)
        self.fc1 = Maxout(256 * height * width, FULLY_CONNECTED)
        self.fc2 = Maxout(FULLY_CONNECTED, FULLY_CONNECTED)
        self.fc7128 = nn.Linear(FULLY_CONNECTED, embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolutions(x).flatten(1)
        return functional.normalize(self.fc7128(self.fc2(self.fc1(x))).float(), dim=1)
