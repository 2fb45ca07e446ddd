"""Operating points against brute force."""

from itertools import combinations

import numpy as np
import pytest

from app.faces.card import CardCalibration
from models import calibrate
from models.calibrate import PairTable, bootstrap, calibration


@pytest.fixture(scope="module")
def embeddings() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(40), 3)
    raw = rng.normal(size=(40, 16))[people] + 0.6 * rng.normal(size=(120, 16))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), people


def impostors_by_loop(embeddings: np.ndarray, people: np.ndarray) -> list[float]:
    rows = combinations(range(len(people)), 2)
    return [float(((embeddings[i] - embeddings[j]) ** 2).sum()) for i, j in rows if people[i] != people[j]]


def test_the_threshold_at_each_rate_gives_that_rate_over_all_impostor_pairs(
    embeddings: tuple[np.ndarray, np.ndarray],
) -> None:
    table = PairTable(*embeddings)
    impostor = np.array(impostors_by_loop(*embeddings))
    assert table.impostor_pairs == len(impostor) == 120 * 119 // 2 - 40 * 3
    for far in (0.3, 0.1, 0.01):
        measured = (impostor < table.threshold(far)).mean()
        assert measured == pytest.approx(far, abs=1.5 / len(impostor))


def test_val_is_the_share_of_same_pairs_below_the_threshold(embeddings: tuple[np.ndarray, np.ndarray]) -> None:
    table = PairTable(*embeddings)
    rows, people = embeddings
    genuine = [((rows[i] - rows[j]) ** 2).sum() for i, j in combinations(range(120), 2) if people[i] == people[j]]
    assert table.val(1.0) == pytest.approx(np.mean(np.array(genuine) < 1.0))


def test_rates_without_ten_false_accepts_behind_them_are_left_out(embeddings: tuple[np.ndarray, np.ndarray]) -> None:
    table = PairTable(*embeddings)
    fars = calibrate.rates(table)
    assert fars[-1] * table.impostor_pairs >= 10 > fars[-1] * table.impostor_pairs * 10**-0.2
    assert fars == sorted(fars, reverse=True)
    assert {0.3, 0.1, 0.01} <= set(fars)


def test_a_bootstrap_draw_counts_a_pair_as_often_as_both_its_people_were_drawn(
    embeddings: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "RESAMPLES", 3)
    rows, people = embeddings
    table = PairTable(rows, people)
    threshold = float(table.squared_l2[700:702].mean())  # between two pairs, so that rounding cannot matter
    rng = np.random.default_rng(1)
    for resampled in bootstrap(table, [threshold], seed=1):
        count = np.bincount(rng.integers(0, 40, 40), minlength=40)
        accepted = total = 0
        for i, j in combinations(range(120), 2):
            if people[i] != people[j]:
                weight = count[people[i]] * count[people[j]]
                total += weight
                accepted += weight * (((rows[i] - rows[j]) ** 2).sum() < threshold)
        assert resampled[0] == pytest.approx(accepted / total, abs=1e-4)


def test_a_calibration_fits_the_model_card_and_its_intervals_hold_the_rates(
    embeddings: tuple[np.ndarray, np.ndarray],
) -> None:
    card = CardCalibration.model_validate(calibration(PairTable(*embeddings), "made-up people"))
    assert [point.far for point in card.operating_points] == [0.1, 0.01]
    assert card.people == 40
    for point in card.curve:
        assert point.ci95[0] <= point.far <= point.ci95[1]
