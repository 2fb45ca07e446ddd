"""NN2, the paper's Inception network (table 2), with batch norm in place of local response normalisation.

The 1x1 branch and the two reductions of a module read the same input, so they are computed as one convolution;
parameters and arithmetic are those of the table.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.networks.blocks import ConvNorm, Embedding, L2Pool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of table 2: output channels of each branch; `pool` is the kind and its projection (0: none)."""

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


class Inception(nn.Module):
    """One module; a stride of 2 halves the map and passes the input through a max pool."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        self.split = [row.one, row.reduce3, row.reduce5]
        self.reduce = ConvNorm(inputs, sum(self.split))
        self.three = ConvNorm(row.reduce3, row.three, 3, row.stride)
        self.five = ConvNorm(row.reduce5, row.five, 5, row.stride)
        self.pool = L2Pool() if row.pool == "l2" else nn.MaxPool2d(3, row.stride, padding=1)
        self.projection = ConvNorm(inputs, row.projection) if row.projection else nn.Identity()
        self.outputs = row.outputs if row.projection else row.outputs + inputs

    def forward(self, x: Tensor) -> Tensor:
        one, three, five = self.reduce(x).split(self.split, dim=1)
        pooled = self.projection(self.pool(x))
        branches = [self.three(three), self.five(five), pooled]
        return torch.cat([one, *branches] if one.shape[1] else branches, dim=1)


class NN2(nn.Module):
    """float32 (n, 3, side, side) to unit vectors (n, embedding_size); any side from 64 up, the paper's is 224."""

    def __init__(self, embedding_size: int = 128) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvNorm(3, 64, 7, stride=2),
            nn.MaxPool2d(3, 2, padding=1),
            ConvNorm(64, 64),
            ConvNorm(64, 192, 3),
            nn.MaxPool2d(3, 2, padding=1),
        )
        modules: list[nn.Module] = []
        channels = 192
        for row in TABLE_2.values():
            module = Inception(channels, row)
            modules.append(module)
            channels = module.outputs
        self.modules_3_to_5 = nn.Sequential(*modules)
        self.embedding = Embedding(channels, embedding_size)

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.embedding(self.modules_3_to_5(self.stem(x)))
        return embedding
