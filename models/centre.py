"""Embeddings about the middle of the sphere: the mean of all faces is moved to the origin.

A network that has not learnt everything answers a little like its mean where it does not know better, so all faces
lean to one side, and strangers are nearer to each other than they need be. The offset of the last batch norm, behind
which vectors are given unit length, takes that away, and costs nothing when serving.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

ROUNDS = 10  # unit length bends what is moved; by then the mean is about 1e-3 of what it was


@torch.no_grad()
def centre(network: nn.Module, batches: Iterable[Tensor]) -> tuple[float, float]:
    """Move the mean embedding of images, each float32 (n, 3, side, side), and of their mirror images to the origin.

    Returns how far from the origin it was and is. Raises ValueError where no batch norm comes last.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    if not norms:
        raise ValueError("the embedding of this network does not end in a batch norm, whose offset could be moved")
    vectors = torch.cat([_ahead_of_unit_length(network, norms[-1], images) for images in batches])
    offset = torch.zeros_like(vectors[0])
    before = _mean(vectors).norm().item()
    for _ in range(ROUNDS):
        offset -= vectors.norm(dim=1).mean() * _mean(vectors + offset)
    norms[-1].bias += offset
    return before, _mean(vectors + offset).norm().item()


def _ahead_of_unit_length(network: nn.Module, norm: nn.BatchNorm1d, images: Tensor) -> Tensor:
    """What the last norm gives for images and their mirror images, float32 (2n, d)."""
    seen: list[Tensor] = []
    hook = norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output.float()))
    for views in (images, images.flip(3)):
        network(views)
    hook.remove()
    return torch.cat(seen)


def _mean(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=1).mean(0)
