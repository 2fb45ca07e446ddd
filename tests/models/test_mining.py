"""Mining and the triplet loss against plain loops over explicit triplets."""

import pytest
import torch

from models.losses import MARGIN, distillation, squared_l2_matrix, triplet
from models.mining import NEGATIVES, POSITIVES, Triplets, active_share, mine, semi_hard


def unit(count: int, size: int, seed: int) -> torch.Tensor:
    raw = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(raw, dim=1)


def triplets_by_loop(distances: torch.Tensor, people: list[int], margin: float) -> set[tuple[int, int, int]]:
    found = set()
    everyone = range(len(people))
    for a in everyone:
        for p in everyone:
            if a == p or people[a] != people[p]:
                continue
            eligible = [
                (distances[a, n].item(), n)
                for n in everyone
                if people[n] != people[a] and distances[a, p] < distances[a, n] < distances[a, p] + margin
            ]
            if eligible:
                found.add((a, p, min(eligible)[1]))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_semi_hard_finds_for_every_positive_pair_the_nearest_negative_within_the_margin(seed: int) -> None:
    embeddings, people = unit(24, 4, seed), [i % 6 for i in range(24)]
    distances = squared_l2_matrix(embeddings, embeddings)
    found = semi_hard(distances, torch.tensor(people), MARGIN)
    as_set = set(zip(*(part.tolist() for part in found), strict=True))
    assert as_set == triplets_by_loop(distances, people, MARGIN)
    assert len(as_set) == len(found.anchor) > 0


def by_loop(distances: torch.Tensor, people: list[int], positives: str, negatives: str) -> set[tuple[int, int, int]]:
    found, everyone = set(), range(len(people))
    for a in everyone:
        own = [(distances[a, p].item(), p) for p in everyone if p != a and people[p] == people[a]]
        others = [(distances[a, n].item(), n) for n in everyone if people[n] != people[a]]
        for near, p in own if positives == "all" else [max(own)]:
            between = [pair for pair in others if near < pair[0] < near + MARGIN]
            chosen = {"semi-hard": sorted(between)[:1], "hardest": sorted(others)[:1], "all": others}[negatives]
            found |= {(a, p, n) for _, n in chosen}
    return found


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("positives", POSITIVES)
def test_positives_and_negatives_are_those_asked_for(positives: str, negatives: str) -> None:
    embeddings, people = unit(20, 4, 7), [i % 5 for i in range(20)]
    distances = squared_l2_matrix(embeddings, embeddings)
    mined = mine(distances, torch.tensor(people), MARGIN, positives, negatives)
    as_set = set(zip(*(part.tolist() for part in mined.triplets), strict=True))
    assert as_set == by_loop(distances, people, positives, negatives)
    assert len(as_set) == len(mined.triplets.anchor) > 0
    pairs = 20 * 3 if positives == "all" else 20
    assert mined.examined == (pairs * 16 if negatives == "all" else pairs)
    active = sum(bool(distances[a, p] - distances[a, n] + MARGIN > 0) for a, p, n in as_set)
    assert active_share(mined, distances, MARGIN) == pytest.approx(active / mined.examined)


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("positives", POSITIVES)
@pytest.mark.parametrize("people", [[0, 0, 0], [0, 1, 2], [0]])
def test_batches_without_a_triplet_give_none(positives: str, negatives: str, people: list[int]) -> None:
    embeddings = unit(len(people), 4, 7)
    distances = squared_l2_matrix(embeddings, embeddings)
    mined = mine(distances, torch.tensor(people), MARGIN, positives, negatives)
    assert len(mined.triplets.anchor) == 0
    assert active_share(mined, distances, MARGIN) == 0


def test_a_batch_of_one_person_gives_no_triplet_and_a_loss_without_gradient() -> None:
    embeddings = unit(5, 4, 0).requires_grad_()
    found = semi_hard(squared_l2_matrix(embeddings, embeddings), torch.zeros(5, dtype=torch.int64), MARGIN)
    loss = triplet(embeddings, found)
    loss.backward()
    assert len(found.anchor) == 0
    assert loss.item() == 0
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


def test_gradients_are_finite_where_faces_coincide() -> None:
    embeddings = unit(4, 8, 1)[[0, 0, 1, 1]].requires_grad_()
    triplet(
        embeddings, Triplets(torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([1, 2])), margin=5.0
    ).backward()
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    assert embeddings.grad.any()


def test_the_triplet_loss_is_the_mean_hinge_on_squared_distances() -> None:
    embeddings = unit(6, 8, 3)
    triplets = Triplets(torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5]), torch.tensor([1, 2, 0]))
    by_loop = []
    for a, p, n in zip(*(part.tolist() for part in triplets), strict=True):
        near = ((embeddings[a] - embeddings[p]) ** 2).sum().item()
        far = ((embeddings[a] - embeddings[n]) ** 2).sum().item()
        by_loop.append(max(near - far + 0.2, 0))
    assert triplet(embeddings, triplets).item() == pytest.approx(sum(by_loop) / 3, abs=1e-6)


def test_distances_of_a_matrix_are_squared_l2_of_its_rows() -> None:
    a, b = unit(5, 16, 1), unit(7, 16, 2)
    expected = torch.tensor([[((x - y) ** 2).sum().item() for y in b] for x in a])
    torch.testing.assert_close(squared_l2_matrix(a, b), expected, atol=1e-5, rtol=0)


def test_distillation_is_zero_at_the_teacher_and_four_opposite_it() -> None:
    teacher = unit(9, 16, 5)
    assert distillation(teacher, teacher).item() == 0
    assert distillation(-teacher, teacher).item() == pytest.approx(4, abs=1e-5)
