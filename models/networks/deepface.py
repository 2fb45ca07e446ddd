"""DeepFace's network (Taigman et al. 2014, section 3): convolutions, then locally connected layers.

Its features were those of F7, and F8 told 4,030 people apart; here F8 gives the embedding. The paper's input is
frontalised by a 3-D model; ours is levelled by landmarks, so this is the network and not the system.
"""

from torch import Tensor, nn
from torch.nn import functional

from models.networks.blocks import LocalConv
from models.networks.count import Size


class DeepFace(nn.Module):
    """float32 (n, 3, height, width) to unit vectors (n, embedding_size) for one height and width; the paper has 152."""

    def __init__(self, embedding_size: int, size: Size) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(3, 32, 11)
        self.m2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.c3 = nn.Conv2d(32, 16, 9)
        height, width = ((side - 10 - 3 + 1) // 2 + 1 - 8 for side in size)
        self.l4 = LocalConv(16, 16, 9, (height, width))
        self.l5 = LocalConv(16, 16, 7, self.l4.output_size, stride=2)
        self.l6 = LocalConv(16, 16, 5, self.l5.output_size)
        height, width = self.l6.output_size
        self.f7 = nn.Linear(16 * height * width, 4096)
        self.dropout = nn.Dropout(0.5)
        self.f8 = nn.Linear(4096, embedding_size)
        for layer in (self.c1, self.c3, self.f7):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.m2(functional.relu(self.c1(x)))
        for layer in (self.c3, self.l4, self.l5, self.l6):
            x = functional.relu(layer(x))
        x = self.dropout(functional.relu(self.f7(x.flatten(1))))
        return functional.normalize(self.f8(x).float(), dim=1)
