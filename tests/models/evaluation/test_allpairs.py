"""All pairs, against counting them."""

from itertools import combinations

import numpy as np
import pytest

from models.evaluation.allpairs import measure
from tests.faces.conftest import card


@pytest.fixture(scope="module")
def faces() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(50), 3)
    rows = rng.normal(size=(50, 12))[people] + 0.5 * rng.normal(size=(150, 12))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), people


def test_rates_are_those_of_counting_pairs_and_lie_in_their_intervals(faces: tuple[np.ndarray, np.ndarray]) -> None:
    embeddings, people = faces
    found = measure(embeddings, people, None)
    assert [row["asked_far"] for row in found["points"]] == [0.1, 0.01, 0.001]  # 11,025 impostor pairs
    assert "card_points" not in found
    pairs = list(combinations(range(150), 2))
    distances = np.array([((embeddings[i] - embeddings[j]) ** 2).sum() for i, j in pairs])
    same = np.array([people[i] == people[j] for i, j in pairs])
    for row in found["points"]:
        assert row["far"] == pytest.approx((distances[~same] < row["threshold"]).mean(), abs=2e-4)
        assert row["val"] == pytest.approx((distances[same] < row["threshold"]).mean(), abs=0.01)
        assert row["far_ci95"][0] <= row["far"] <= row["far_ci95"][1]
        assert row["val_ci95"][0] <= row["val"] <= row["val_ci95"][1]


def test_the_cards_thresholds_are_measured_on_these_people(faces: tuple[np.ndarray, np.ndarray]) -> None:
    found = measure(*faces, card())["card_points"]
    embeddings, people = faces
    impostor = [
        ((embeddings[i] - embeddings[j]) ** 2).sum() for i, j in combinations(range(150), 2) if people[i] != people[j]
    ]
    # 1.5 accepts more than the largest rate that is kept exactly, so it may be left out.
    rows = {row["threshold"]: row for row in found}
    assert {1.2, 0.9} <= set(rows)
    assert rows[1.2]["card_far"] == 0.01
    assert rows[1.2]["far"] == pytest.approx((np.array(impostor) < 1.2).mean(), rel=0.02)


def test_people_of_one_photograph_each_have_no_val() -> None:
    rows = np.random.default_rng(3).normal(size=(60, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with pytest.raises(ValueError, match="nobody has two photographs"):
        measure(rows, np.arange(60), None)
