"""Losses on unit embeddings, each a row of the table LOSSES. Distances are squared L2, in [0, 4], unless named.

CosFace, the angular loss and the cosine triplet come from pytorch-metric-learning, which computes just what their
papers say. Own code is what it does not have: FaceNet's triplets (its distances are not squared, and squared by
`power=2` it makes a whole matrix of them), DeepID2's pair of signals (its contrastive loss is not squared, and there
is no plain softmax), and the Siamese logistic unit of DeepFace.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

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


@dataclass(frozen=True, slots=True)
class Problem:
    """What a loss is built for. `margin` and `scale` are in the loss's own measure; None: its paper's."""

    people: int
    embedding_size: int
    margin: float | None = None
    scale: float | None = None
    angle_degrees: float = 40.0
    verification_weight: float = 0.05


class Loss(nn.Module):
    """Loss of embeddings (n, d) of labelled `people`, int64 (n,); some learn weights of their own.

    `mining_margin` is the margin in squared L2 that triplets are mined with; 0 for losses that take no triplets.
    """

    mining_margin: float = 0.0

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        raise NotImplementedError


class Triplet(Loss):
    """FaceNet's, margin 0.2."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.mining_margin = MARGIN if problem.margin is None else problem.margin

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        assert triplets is not None  # noqa: S101 (the caller mines where mining_margin is above 0)
        return triplet(embeddings, triplets, self.mining_margin)


class CosineTriplet(Loss):
    """Mean of [ cos(a, n) - cos(a, p) + margin ]+, margin 0.1 (Deep Speaker, Li et al. 2017, equation 7).

    Of unit vectors, squared L2 is 2 - 2 cos: this is half of FaceNet's loss at twice the margin.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        from pytorch_metric_learning import distances, losses, reducers

        margin = 0.1 if problem.margin is None else problem.margin
        self.mining_margin = 2 * margin
        self.loss = losses.TripletMarginLoss(
            margin, distance=distances.CosineSimilarity(), reducer=reducers.MeanReducer()
        )

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        assert triplets is not None  # noqa: S101 (as above)
        loss: Tensor = self.loss(embeddings.float(), indices_tuple=tuple(triplets))
        return loss


class Angular(Loss):
    """Angular loss at alpha 40 degrees (Wang et al. 2017, equation 8), mean over all anchor-positive pairs."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        from pytorch_metric_learning import losses

        self.loss = losses.AngularLoss(problem.angle_degrees)

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        loss: Tensor = self.loss(embeddings.float(), people)
        return loss


class CosFace(Loss):
    """Softmax over people on cosines, less a margin of 0.35 at the right one, times 64 (Wang et al. 2018)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        from pytorch_metric_learning import losses

        margin = 0.35 if problem.margin is None else problem.margin
        scale = 64.0 if problem.scale is None else problem.scale
        self.loss = losses.CosFaceLoss(problem.people, problem.embedding_size, margin=margin, scale=scale)

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        loss: Tensor = self.loss(embeddings.float(), people)
        return loss


class Contrastive(Loss):
    """DeepID2's: softmax over people plus 0.05 times the verification signal (Sun et al. 2014, equations 1 and 2).

    Verification is half the squared distance of two faces of one person, and half of [ margin - distance ]+ squared
    of two people; the distance is L2, not squared. Margin 1.05, where FaceNet's 1.1 separates. All pairs of the batch
    count, same and different ones half each, since the paper does not say how it draws them. Unit vectors are scaled
    by 16 for the softmax: DeepID2's features are of any length.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.classes = nn.Linear(problem.embedding_size, problem.people)
        self.margin = 1.05 if problem.margin is None else problem.margin
        self.scale = 16.0 if problem.scale is None else problem.scale
        self.verification_weight = problem.verification_weight

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        embeddings = embeddings.float()
        identification = functional.cross_entropy(self.classes(self.scale * embeddings), people)
        return identification + self.verification_weight * verification(embeddings, people, self.margin)


def verification(embeddings: Tensor, people: Tensor, margin: float) -> Tensor:
    """DeepID2's verification signal over all pairs of a batch (its equation 2)."""
    first, second, same = unordered_pairs(people)
    squared_l2 = (embeddings[first] - embeddings[second]).square().sum(1)
    # The root's slope has no bound at 0, where different people's faces coincide.
    apart = torch.relu(margin - squared_l2.clamp_min(1e-8).sqrt()).square()
    return balanced(0.5 * torch.where(same, squared_l2, apart), same)


class Siamese(Loss):
    """A logistic unit that tells pairs of one person from pairs of two (DeepFace, section 4.3).

    Its input is the sum of the coordinates' differences, absolute (L1, the paper's) or squared, each with a learnt
    weight. Same and different pairs count half each.
    """

    def __init__(self, problem: Problem, power: int) -> None:
        super().__init__()
        self.power = power
        # Two unit vectors at random differ by 2 squared, and by about 1.13 sqrt(d) in all: begin half-way there.
        typical = 2.0 if power == 2 else 1.13 * problem.embedding_size**0.5
        self.weight = nn.Parameter(torch.full((problem.embedding_size,), 4.0 / typical))
        self.bias = nn.Parameter(torch.tensor(2.0))

    def forward(self, embeddings: Tensor, people: Tensor, triplets: Triplets | None) -> Tensor:
        first, second, same = unordered_pairs(people)
        differences = (embeddings[first].float() - embeddings[second].float()).abs() ** self.power
        logit = self.bias - differences @ self.weight
        return balanced(functional.binary_cross_entropy_with_logits(logit, same.float(), reduction="none"), same)


def unordered_pairs(people: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every pair of a batch once: rows int64 (p,) twice, and whether they are of one person, bool (p,)."""
    first, second = torch.triu_indices(len(people), len(people), offset=1, device=people.device)
    return first, second, people[first] == people[second]


def balanced(values: Tensor, same: Tensor) -> Tensor:
    """Mean of the mean over same pairs and the mean over different ones; a kind that is absent counts 0."""
    means = [values[kind].sum() / kind.sum().clamp_min(1) for kind in (same, ~same)]
    return 0.5 * (means[0] + means[1])


ON_TRIPLETS = ("triplet", "cosine-triplet")
LOSSES: dict[str, Callable[[Problem], Loss]] = {
    "triplet": Triplet,
    "cosine-triplet": CosineTriplet,
    "angular": Angular,
    "cosface": CosFace,
    "contrastive": Contrastive,
    "siamese-l1": lambda problem: Siamese(problem, power=1),
    "siamese-l2": lambda problem: Siamese(problem, power=2),
}
