"""Faces of people who do not exist, made from the crops of those who do.

A student that imitates a teacher on few photographs learns them by heart. Two crops blended and warped are a face that
nobody photographed, and the teacher, asked for it, says where it lies: there is no end to what can be learnt from
(after "Knowledge distillation: a good teacher is patient and consistent", Beyer et al. 2022, who blend photographs).
Crops are levelled by landmarks, so that a blend of two looks like a face.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.augment import as_crops, planes
from models.data import UNLABELLED, Batch

WARP_POINTS = 5  # a side: places of a face that move each on its own
WARP_SHARE = 0.018  # standard deviation of such a move, as a share of the crop's side


@dataclass(frozen=True, slots=True)
class Morphs:
    """Puts made-up faces in place of a share of a batch, and what the teacher says of them in place of its targets."""

    share: float
    teacher: Callable[[Tensor], Tensor]  # crops, uint8 (n, stored, stored, 3), to targets, float32 (n, d)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The first rows of the batch, blended with others of it; batches are shuffled, so that it is any rows."""
        count = round(self.share * len(batch.images))
        if not count:
            return batch
        partners = torch.randperm(len(batch.images), generator=generator)[:count].to(batch.images.device)
        faces = morphed(batch.images[:count], batch.images[partners], generator)
        nobody = torch.full((count,), UNLABELLED)
        images = torch.cat([faces, batch.images[count:]])
        targets = self.teacher(faces)
        return Batch(
            images,
            torch.cat([nobody, batch.people[count:]]),
            torch.cat([targets, batch.teacher[count:].to(targets.device)]),
        )


def morphed(crops: Tensor, partners: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 (n, side, side, 3), twice, to as many: each blended with its partner by a random share, and warped."""
    share = torch.rand(len(crops), 1, 1, 1, generator=generator).to(crops.device)
    blended = torch.lerp(planes(crops), planes(partners), share)
    return as_crops(warped(blended, generator))


def warped(x: Tensor, generator: torch.Generator) -> Tensor:
    """float32 (n, 3, side, side): a grid of points moved at random, everything between them smoothly along."""
    count, side = len(x), x.shape[-1]
    moves = torch.randn(count, 2, WARP_POINTS, WARP_POINTS, generator=generator) * 2 * WARP_SHARE
    smooth = functional.interpolate(moves.to(x.device), size=(side, side), mode="bicubic", align_corners=True)
    still = functional.affine_grid(torch.eye(2, 3, device=x.device)[None], [1, 3, side, side], align_corners=False)
    place = still + smooth.permute(0, 2, 3, 1)
    return functional.grid_sample(x, place, mode="bilinear", padding_mode="reflection", align_corners=False)
