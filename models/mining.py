"""Which triplets to learn from (FaceNet, section 3.2).

Online, from a batch: for all anchor-positive pairs or for the farthest positive of each anchor, a negative. Offline,
from a part of all crops embedded with the latest checkpoint: `models.offline`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

POSITIVES = ("all", "hardest")
NEGATIVES = ("semi-hard", "hardest", "all")


class Triplets(NamedTuple):
    """Rows of the batch, int64 (t,) each."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor


class Mined(NamedTuple):
    """`triplets` to learn from; `examined` counts those that they were chosen from, one for each choice of negative."""

    triplets: Triplets
    examined: int


def mine(
    distances: Tensor, people: Tensor, margin: float, positives: str = "all", negatives: str = "semi-hard"
) -> Mined:
    """Triplets of one batch. `distances`: squared L2 (n, n); `people`: int64 (n,); `margin`: squared L2.

    positives: every positive of an anchor, or the farthest ("hardest"). negatives: for each such pair the nearest
    that is farther than the positive, within the margin ("semi-hard"), or the nearest of all ("hardest"), or every
    one ("all"). A pair without such a negative gives no triplet.
    """
    pairs = all_pairs(people) if positives == "all" else hardest_positives(distances, people)
    if negatives == "all":
        triplets = every_negative(people, *pairs)
        return Mined(triplets, len(triplets.anchor))
    if negatives == "hardest":
        return Mined(hardest(distances, people, *pairs), len(pairs[0]))
    return Mined(semi_hard(distances, people, margin, *pairs), len(pairs[0]))


def all_pairs(people: Tensor) -> tuple[Tensor, Tensor]:
    """Anchor and positive of every ordered pair of one person's faces."""
    same = people[:, None] == people[None, :]
    anchor, positive = torch.nonzero(same.fill_diagonal_(False), as_tuple=True)
    return anchor, positive


def hardest_positives(distances: Tensor, people: Tensor) -> tuple[Tensor, Tensor]:
    """Each anchor with the farthest of its positives, where it has one."""
    same = (people[:, None] == people[None, :]).fill_diagonal_(False)
    anchor = same.any(1).nonzero().flatten()
    return anchor, distances.masked_fill(~same, -torch.inf)[anchor].argmax(1)


def semi_hard(
    distances: Tensor, people: Tensor, margin: float, anchor: Tensor | None = None, positive: Tensor | None = None
) -> Triplets:
    """For all anchor-positive pairs, the nearest negative that is farther than the positive, within the margin."""
    if anchor is None or positive is None:
        anchor, positive = all_pairs(people)
    near = distances[anchor, positive][:, None]
    negatives = distances[anchor]
    is_negative = people[anchor][:, None] != people[None, :]
    eligible = is_negative & (negatives > near) & (negatives < near + margin)
    return _nearest(negatives, eligible, anchor, positive)


def hardest(distances: Tensor, people: Tensor, anchor: Tensor, positive: Tensor) -> Triplets:
    """For all anchor-positive pairs, the nearest negative."""
    is_negative = people[anchor][:, None] != people[None, :]
    return _nearest(distances[anchor], is_negative, anchor, positive)


def every_negative(people: Tensor, anchor: Tensor, positive: Tensor) -> Triplets:
    pair, negative = torch.nonzero(people[anchor][:, None] != people[None, :], as_tuple=True)
    return Triplets(anchor[pair], positive[pair], negative)


def active_share(mined: Mined, distances: Tensor, margin: float) -> float:
    """Share of the examined triplets that give a gradient: [ d(a, p) - d(a, n) + margin ]+ above 0; 0 without any."""
    anchor, positive, negative = mined.triplets
    active = distances[anchor, positive] - distances[anchor, negative] + margin > 0
    return float(active.sum()) / max(mined.examined, 1)


def _nearest(negatives: Tensor, eligible: Tensor, anchor: Tensor, positive: Tensor) -> Triplets:
    if negatives.shape[1] == 0:
        return Triplets(anchor, positive, anchor)
    nearest, negative = negatives.masked_fill(~eligible, torch.inf).min(dim=1)
    found = nearest.isfinite()
    return Triplets(anchor[found], positive[found], negative[found])
