"""The paper's Inception networks: NN2 (table 2) and its smaller kin, with batch norm for local response normalisation.

NN3 and NN4 are NN2 on smaller pictures. NNS1 and NNS2 are reconstructions: the paper gives only their input sizes and
budgets ("26 M parameters, 220 M FLOPS", "4.3 M, 20 M"). So many parameters for so little arithmetic cannot be
convolutions, so here a thinner NN2 ends in one fully connected layer, as NN1 does.

The 1x1 branch and the two reductions of a module read the same input, so they are computed as one convolution;
parameters and arithmetic are those of the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from models.networks.blocks import ConvNorm, Embedding, FlatEmbedding, L2Pool, halved
from models.networks.count import Size


@dataclass(frozen=True, slots=True)
class Row:
    """One row of table 2: output channels of each branch (0: no such branch); `pool` is the kind and its projection."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    pool: Literal["max", "l2"]
    projection: int
    stride: int = 1

    @property
    def outputs(self) -> int:
        return self.one + self.three + self.five + self.projection


TABLE_2: dict[str, Row] = {
    "3a": Row(64, 96, 128, 16, 32, "max", 32),
    "3b": Row(64, 96, 128, 32, 64, "l2", 64),
    "3c": Row(0, 128, 256, 32, 64, "max", 0, stride=2),
    "4a": Row(256, 96, 192, 32, 64, "l2", 128),
    "4b": Row(224, 112, 224, 32, 64, "l2", 128),
    "4c": Row(192, 128, 256, 32, 64, "l2", 128),
    "4d": Row(160, 144, 288, 32, 64, "l2", 128),
    "4e": Row(0, 160, 256, 64, 128, "max", 0, stride=2),
    "5a": Row(384, 192, 384, 48, 128, "l2", 128),
    "5b": Row(384, 192, 384, 48, 128, "max", 128),
}
STEM = (64, 64, 192)


def without_fives(table: Mapping[str, Row], *modules: str) -> dict[str, Row]:
    """The table without the 5x5 branch of some modules."""
    return {name: replace(row, reduce5=0, five=0) if name in modules else row for name, row in table.items()}


def thinner(table: Mapping[str, Row], share: float) -> dict[str, Row]:
    """The table with a share of each branch's channels, in eights."""
    return {
        name: Row(*(_eights(c * share) for c in (row.one, row.reduce3, row.three, row.reduce5, row.five)),
                  row.pool, _eights(row.projection * share), row.stride)
        for name, row in table.items()
    }  # fmt: skip


def _eights(channels: float) -> int:
    return max(8 * round(channels / 8), 8) if channels else 0


class Inception(nn.Module):
    """One module; a stride of 2 halves the map and passes the input through a max pool."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        self.split = [row.one, row.reduce3, row.reduce5]
        self.reduce = ConvNorm(inputs, sum(self.split))
        self.three = ConvNorm(row.reduce3, row.three, 3, row.stride)
        self.five = ConvNorm(row.reduce5, row.five, 5, row.stride) if row.five else None
        self.pool = L2Pool() if row.pool == "l2" else nn.MaxPool2d(3, row.stride, padding=1)
        self.projection = ConvNorm(inputs, row.projection) if row.projection else nn.Identity()
        self.outputs = row.outputs if row.projection else row.outputs + inputs

    def forward(self, x: Tensor) -> Tensor:
        one, three, five = self.reduce(x).split(self.split, dim=1)
        branches = [one] if one.shape[1] else []
        branches.append(self.three(three))
        if self.five is not None:
            branches.append(self.five(five))
        return torch.cat([*branches, self.projection(self.pool(x))], dim=1)


class InceptionNetwork(nn.Module):
    """float32 (n, 3, side, side) to unit vectors (n, embedding_size); any side from 64 up, the paper's NN2 has 224.

    With `hidden`, the last map is not averaged but read by a fully connected layer of so many units, which fits
    pictures of `size` only.
    """

    def __init__(
        self,
        embedding_size: int,
        size: Size,
        table: Mapping[str, Row] = TABLE_2,
        stem: tuple[int, int, int] = STEM,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        first, second, channels = stem
        self.stem = nn.Sequential(
            ConvNorm(3, first, 7, stride=2),
            nn.MaxPool2d(3, 2, padding=1),
            ConvNorm(first, second),
            ConvNorm(second, channels, 3),
            nn.MaxPool2d(3, 2, padding=1),
        )
        modules: list[nn.Module] = []
        for row in table.values():
            module = Inception(channels, row)
            modules.append(module)
            channels = module.outputs
        self.modules_3_to_5 = nn.Sequential(*modules)
        self.embedding: nn.Module = Embedding(channels, embedding_size)
        if hidden:
            height, width = halved(size, 5)
            self.embedding = FlatEmbedding(channels * height * width, hidden, embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.embedding(self.modules_3_to_5(self.stem(x)))
        return embedding


def nn2(embedding_size: int, size: Size) -> nn.Module:
    """Table 2. On 160 px it is NN3."""
    return InceptionNetwork(embedding_size, size)


def nn4(embedding_size: int, size: Size) -> nn.Module:
    """NN2 for 96 px "without 5x5 convolutions in the higher layers, since the receptive field is already too small".

    The paper does not say which layers; without those of 4e, 5a and 5b the count is its 285 M.
    """
    return InceptionNetwork(embedding_size, size, without_fives(TABLE_2, "4e", "5a", "5b"))


def nns1(embedding_size: int, size: Size) -> nn.Module:
    """Reconstruction of the "mini Inception": 0.42 of NN2's channels, 1,570 fully connected units."""
    return InceptionNetwork(embedding_size, size, thinner(TABLE_2, 0.42), (24, 32, 88), hidden=1570)


def nns2(embedding_size: int, size: Size) -> nn.Module:
    """Reconstruction of the "tiny Inception": 0.15 of NN2's channels, 1,375 fully connected units."""
    return InceptionNetwork(embedding_size, size, thinner(TABLE_2, 0.15), (8, 8, 32), hidden=1375)
