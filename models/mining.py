"""Which triplets of a batch to learn from (FaceNet, section 3.2)."""

from typing import NamedTuple

import torch
from torch import Tensor


class Triplets(NamedTuple):
    """Rows of the batch, int64 (t,) each."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor


def semi_hard(distances: Tensor, people: Tensor, margin: float) -> Triplets:
    """For all anchor-positive pairs, the nearest negative that is farther than the positive, within the margin.

    `distances`: squared L2 (n, n); `people`: int64 (n,). A pair without such a negative gives no triplet.
    """
    same = people[:, None] == people[None, :]
    anchor, positive = torch.nonzero(same.fill_diagonal_(False), as_tuple=True)
    near = distances[anchor, positive][:, None]
    negatives = distances[anchor]
    is_negative = people[anchor][:, None] != people[None, :]
    eligible = is_negative & (negatives > near) & (negatives < near + margin)
    nearest, negative = negatives.masked_fill(~eligible, torch.inf).min(dim=1)
    found = nearest.isfinite()
    return Triplets(anchor[found], positive[found], negative[found])
