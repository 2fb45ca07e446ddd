"""Losses on unit embeddings. All distances are squared L2, in [0, 4]."""

import torch
from torch import Tensor

from models.mining import Triplets

MARGIN = 0.2


def squared_l2_matrix(a: Tensor, b: Tensor) -> Tensor:
    """float32 (n, m): squared L2 between every row of `a` and of `b`, all unit vectors."""
    return (2.0 - 2.0 * a.float() @ b.float().T).clamp_min(0.0)


def triplet(embeddings: Tensor, triplets: Triplets, margin: float = MARGIN) -> Tensor:
    """Mean over triplets of [ ||a - p||^2 - ||a - n||^2 + margin ]+ (FaceNet, equation 3); 0 without triplets."""
    if len(triplets.anchor) == 0:
        return embeddings.sum() * 0.0
    anchor, positive, negative = (embeddings[index].float() for index in triplets)
    near = (anchor - positive).square().sum(1)
    far = (anchor - negative).square().sum(1)
    return torch.relu(near - far + margin).mean()


def distillation(embeddings: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared L2 between a student's and its teacher's embeddings of the same faces, unit vectors (n, d)."""
    return (embeddings.float() - teacher).square().sum(1).mean()
