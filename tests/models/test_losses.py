"""Every loss against plain loops over faces, pairs and triplets, as its paper writes it."""

import math

import pytest
import torch

from models.losses import LOSSES, ON_TRIPLETS, Problem, squared_l2_matrix, unordered_pairs, verification
from models.mining import Triplets, mine
from tests.models.test_mining import unit

PEOPLE = torch.tensor([0, 1, 2, 0, 1, 2, 0, 3, 3])
DIMENSIONS = 6
EMBEDDINGS = unit(len(PEOPLE), DIMENSIONS, seed=4)


def value(name: str, **problem: float) -> tuple[float, torch.nn.Module]:
    """The loss of the faces above, and its module; its own weights are random numbers."""
    torch.manual_seed(2)
    loss = LOSSES[name](Problem(people=4, embedding_size=DIMENSIONS, **problem)).requires_grad_(False)
    for parameter in loss.parameters():
        torch.nn.init.normal_(parameter)
    triplets = mine(squared_l2_matrix(EMBEDDINGS, EMBEDDINGS), PEOPLE, 0.2, negatives="all").triplets
    return loss(EMBEDDINGS, PEOPLE, triplets if loss.mining_margin else None).item(), loss


def all_triplets() -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    rows = range(len(PEOPLE))
    return [
        (EMBEDDINGS[a], EMBEDDINGS[p], EMBEDDINGS[n])
        for a in rows
        for p in rows
        for n in rows
        if a != p and PEOPLE[a] == PEOPLE[p] and PEOPLE[a] != PEOPLE[n]
    ]


def halves(pair_loss) -> float:  # type: ignore[no-untyped-def]
    """Mean over same pairs and mean over different pairs, half each."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for i in range(len(PEOPLE)):
        for j in range(i):
            same = bool(PEOPLE[i] == PEOPLE[j])
            found[same].append(float(pair_loss(EMBEDDINGS[i], EMBEDDINGS[j], same)))
    return sum(sum(values) / len(values) for values in found.values()) / 2


@pytest.mark.parametrize("margin", [0.2, 0.9])
def test_triplets_are_facenets_hinge_on_squared_distances(margin: float) -> None:
    loops = [max(float(((a - p) ** 2).sum() - ((a - n) ** 2).sum()) + margin, 0) for a, p, n in all_triplets()]
    assert value("triplet", margin=margin)[0] == pytest.approx(sum(loops) / len(loops), rel=1e-5)


@pytest.mark.parametrize("margin", [0.1, 0.45])
def test_cosine_triplets_are_the_hinge_on_cosines(margin: float) -> None:
    loops = [max(float(a @ n - a @ p) + margin, 0) for a, p, n in all_triplets()]
    assert value("cosine-triplet", margin=margin)[0] == pytest.approx(sum(loops) / len(loops), rel=1e-5)


def test_cosine_triplets_are_half_of_squared_ones_at_twice_the_margin() -> None:
    assert 2 * value("cosine-triplet", margin=0.3)[0] == pytest.approx(value("triplet", margin=0.6)[0], rel=1e-5)
    assert LOSSES["cosine-triplet"](Problem(4, DIMENSIONS, margin=0.3)).mining_margin == 0.6


@pytest.mark.parametrize("degrees", [36.0, 45.0])
def test_the_angular_loss_is_its_papers(degrees: float) -> None:
    squared_tangent = math.tan(math.radians(degrees)) ** 2
    loops = []
    for i, a in enumerate(EMBEDDINGS):
        for j, p in enumerate(EMBEDDINGS):
            if i == j or PEOPLE[i] != PEOPLE[j]:
                continue
            negatives = [n for k, n in enumerate(EMBEDDINGS) if PEOPLE[k] != PEOPLE[i]]
            f = [4 * squared_tangent * (a + p) @ n - 2 * (1 + squared_tangent) * a @ p for n in negatives]
            loops.append(math.log(1 + sum(math.exp(x) for x in f)))
    assert value("angular", angle_degrees=degrees)[0] == pytest.approx(sum(loops) / len(loops), rel=1e-5)


@pytest.mark.parametrize(("margin", "scale"), [(None, None), (0.2, 16.0)])
def test_cosface_is_a_softmax_of_scaled_cosines_less_the_margin(margin: float | None, scale: float | None) -> None:
    found, loss = value("cosface", margin=margin, scale=scale)
    centres = torch.nn.functional.normalize(next(loss.parameters()).T, dim=1)
    m, s = margin or 0.35, scale or 64.0
    loops = []
    for x, person in zip(EMBEDDINGS.double(), PEOPLE.tolist(), strict=True):
        logits = [s * (float(x @ c) - m * (k == person)) for k, c in enumerate(centres.double())]
        loops.append(math.log(sum(math.exp(logit) for logit in logits)) - logits[person])
    assert found == pytest.approx(sum(loops) / len(loops), rel=1e-4)


def test_the_contrastive_loss_is_softmax_plus_verification() -> None:
    found, loss = value("contrastive", margin=1.2, scale=3.0, verification_weight=0.7)
    weight, bias = loss.classes.weight, loss.classes.bias
    identification = []
    for x, person in zip(EMBEDDINGS, PEOPLE.tolist(), strict=True):
        logits = [float(3.0 * x @ weight[k] + bias[k]) for k in range(4)]
        identification.append(math.log(sum(math.exp(logit) for logit in logits)) - logits[person])
    pairs = halves(
        lambda x, y, same: 0.5 * (x - y).square().sum() if same else 0.5 * max(1.2 - float((x - y).norm()), 0) ** 2
    )
    assert found == pytest.approx(sum(identification) / len(identification) + 0.7 * pairs, rel=1e-5)


@pytest.mark.parametrize("power", [1, 2])
def test_the_siamese_unit_is_logistic_in_weighted_differences(power: int) -> None:
    found, loss = value(f"siamese-l{power}")

    def pair_loss(x: torch.Tensor, y: torch.Tensor, same: bool) -> float:
        logit = float(loss.bias - sum(w * abs(a - b) ** power for w, a, b in zip(loss.weight, x, y, strict=True)))
        return math.log(1 + math.exp(-logit if same else logit))

    assert found == pytest.approx(halves(pair_loss), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_and_reach_everything_where_faces_coincide(name: str) -> None:
    loss = LOSSES[name](Problem(people=4, embedding_size=DIMENSIONS))
    faces = unit(2, DIMENSIONS, 1)[[0, 0, 1, 1, 0, 1]].requires_grad_()
    triplets = Triplets(*(torch.tensor(rows) for rows in ([0, 2], [1, 4], [4, 0]))) if loss.mining_margin else None
    loss(faces, torch.tensor([0, 0, 0, 0, 1, 1]), triplets).backward()
    for leaf in (faces, *loss.parameters()):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
    assert faces.grad is not None
    assert faces.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_say_whether_they_take_triplets(name: str) -> None:
    assert (LOSSES[name](Problem(4, DIMENSIONS)).mining_margin > 0) == (name in ON_TRIPLETS)


def test_a_kind_of_pair_that_is_absent_counts_nothing() -> None:
    assert verification(EMBEDDINGS[:2], torch.tensor([0, 1]), margin=0.0).item() == 0
    assert len(unordered_pairs(torch.tensor([0, 0, 1]))[0]) == 3
