"""Metrics against double loops, on distances with ties."""

import numpy as np
import pytest

from app.domain import is_match
from models.metrics import (
    accuracy,
    best_threshold,
    fold_accuracy,
    rates,
    roc,
    threshold_at_far,
    val_at_far,
)


@pytest.fixture(params=range(5))
def pairs(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(request.param)
    same = rng.random(300) < 0.5
    # Rounded, so that distances repeat.
    return np.round(np.where(same, rng.normal(0.8, 0.3, 300), rng.normal(1.5, 0.3, 300)).clip(0, 4), 2), same


def test_rates_count_what_the_service_would_accept(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    distances, same = pairs
    accepted = [is_match(d, 1.1) for d in distances]
    val = sum(a for a, s in zip(accepted, same, strict=True) if s) / same.sum()
    far = sum(a for a, s in zip(accepted, same, strict=True) if not s) / (~same).sum()
    assert rates(distances, same, 1.1) == (pytest.approx(val), pytest.approx(far))


def test_the_best_threshold_beats_every_other_cut(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    distances, same = pairs
    best = accuracy(distances, same, best_threshold(distances, same))
    assert best == max(accuracy(distances, same, t) for t in np.arange(0, 4.005, 0.005))


@pytest.mark.parametrize("far", [0.5, 0.1, 0.05, 1 / 16])
def test_the_threshold_at_a_far_is_the_largest_that_keeps_it(pairs: tuple[np.ndarray, np.ndarray], far: float) -> None:
    impostor = pairs[0][~pairs[1]]
    threshold = threshold_at_far(impostor, far, minimum=1)
    assert (impostor < threshold).mean() <= far
    larger = impostor[impostor > threshold].min()
    assert (impostor < larger).mean() > far


def test_a_far_that_the_pairs_cannot_support_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 10000 impostor pairs, there are 500"):
        threshold_at_far(np.linspace(0, 4, 500), 1e-3)


def test_val_at_far_is_the_accepted_share_at_that_threshold(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    val, threshold = val_at_far(*pairs, 0.1)
    assert val == rates(*pairs, threshold).val


def test_a_fold_is_decided_with_the_threshold_of_the_others() -> None:
    # Fold 0 alone would choose a threshold near 3; the others choose one near 1.
    distances = np.array([2.9, 3.1, 0.5, 1.5, 0.5, 1.5])
    same = np.array([True, False] * 3)
    result = fold_accuracy(distances, same, np.array([0, 0, 1, 1, 2, 2]))
    assert result.mean == pytest.approx((0.5 + 1 + 1) / 3)
    assert result.thresholds[0] == pytest.approx(1.0)
    assert result.standard_error == pytest.approx(np.std([0.5, 1, 1], ddof=1) / np.sqrt(3))


def test_the_roc_agrees_with_rates_at_every_distance(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    distances, same = pairs
    far, val = roc(distances, same)
    impostor = np.sort(distances[~same])
    for i in range(0, len(impostor), 7):
        just_above = np.nextafter(impostor[i], 5)
        last = np.searchsorted(impostor, impostor[i], side="right") - 1
        assert (val[i], far[last]) == pytest.approx(tuple(rates(distances, same, just_above)))


def test_a_photograph_without_a_face_is_never_accepted_whatever_the_threshold() -> None:
    threshold = best_threshold(np.array([1.0, 4.0, 4.0]), np.array([True, True, True]))
    assert rates(np.array([1.0, 4.0, 4.0, 2.0]), np.array([True, True, True, False]), threshold).val == pytest.approx(
        1 / 3
    )
