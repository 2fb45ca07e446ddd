"""Pair tables over several blocks of rows, against plain matrices."""

import numpy as np
import pytest

from models import pairs
from models.pairs import PairTable, bootstrap, bootstrap_val


def made_up(people: int, faces: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 8)), faces, axis=0) + 0.5 * rng.normal(size=(people * faces, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), np.repeat(np.arange(people) * 7, faces)


def test_blocks_hold_every_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_ROWS", 17)
    embeddings, people = made_up(20, 4, seed=1)
    table = PairTable(embeddings, people)
    first, second = np.triu_indices(80, k=1)
    squared_l2 = np.square(embeddings[first].astype(float) - embeddings[second]).sum(1)
    same = people[first] == people[second]
    np.testing.assert_allclose(table.genuine, np.sort(squared_l2[same]), atol=1e-5)
    assert table.impostor_pairs == (~same).sum()
    nearest = np.sort(squared_l2[~same])[: len(table.squared_l2)]
    assert len(nearest) >= pairs.KEEP_SHARE * table.impostor_pairs
    np.testing.assert_allclose(table.squared_l2, nearest, atol=1e-5)
    own = np.square(embeddings[table.first].astype(float) - embeddings[table.second]).sum(1)
    np.testing.assert_allclose(table.squared_l2, own, atol=1e-5)


def test_counting_pair_by_pair_and_as_a_quadratic_form_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "RESAMPLES", 5)
    embeddings, people = made_up(12, 12, seed=2)  # many pairs for few people
    table = PairTable(embeddings, people)
    thresholds = [table.threshold(far) for far in (0.3, 0.1, 0.001)]
    assert 4 * len(table.squared_l2) > 12 * 12
    person, counts = pairs._draws(people, 1)
    for row, weights in zip(bootstrap(table, thresholds), counts, strict=True):
        times = weights[person]
        total = np.outer(times, times)[np.not_equal.outer(people, people)].sum() / 2
        for rate, threshold in zip(row, thresholds, strict=True):
            near = table.squared_l2 < threshold
            assert rate == pytest.approx((times[table.first[near]] * times[table.second[near]]).sum() / total, rel=1e-5)


def test_val_is_drawn_by_people_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "RESAMPLES", 4)
    embeddings, people = made_up(15, 3, seed=3)
    table = PairTable(embeddings, people)
    rng = np.random.default_rng(1)
    for row in bootstrap_val(table, [0.5, 1.0]):
        count = dict(zip(np.unique(people).tolist(), np.bincount(rng.integers(0, 15, 15), minlength=15), strict=True))
        weights = np.array([count[person] for person in table.genuine_people.tolist()])
        expected = [weights[table.genuine < t].sum() / weights.sum() for t in (0.5, 1.0)]
        assert row == pytest.approx(expected)
