"""Curves of quality from faces whose answers are known beforehand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.degrade import DEGRADATIONS
from models.manifest import Photo
from models.quality import DISCARDED, Rates, badness, by_value, choose_people, error_versus_discard


def test_discarding_the_worst_ends_the_errors_that_they_made() -> None:
    bad = np.arange(100.0)
    rejects = (bad >= 80).astype(float)
    curve = error_versus_discard(bad, rejects)
    assert curve[0] == pytest.approx(0.2)
    assert curve[int(np.argmin(abs(DISCARDED - 0.1)))] == pytest.approx(10 / 90, abs=1e-4)
    assert curve[int(np.argmin(abs(DISCARDED - 0.2)))] == 0


def test_a_measure_that_knows_nothing_leaves_the_rate_where_it_was() -> None:
    curve = error_versus_discard(np.zeros(10_000), np.tile([0.0, 1.0], 5_000))
    assert np.abs(np.array(curve) - 0.5).max() < 0.02


def test_rates_by_value_keep_equal_values_together() -> None:
    values = np.array([0.0] * 60 + [1.0] * 20 + [2.0] * 20)
    rates = Rates(values / 2, values / 100, threshold=1.0)
    rows = by_value(values, np.ones(100, bool), rates, bins=10)
    assert [(row["value"], row["faces"], row["frr"], row["far"]) for row in rows] == [
        (0.0, 60, 0.0, 0.0),
        (1.0, 20, 0.5, 0.01),
        (2.0, 20, 1.0, 0.02),
    ]


@pytest.mark.parametrize(("worse", "worst"), [("low", 0), ("high", 3), ("far", 0)])
def test_the_worst_value_is_the_one_furthest_on_its_side(worse: str, worst: int) -> None:
    assert badness(np.array([-5.0, -1.0, 2.0, 4.0]), worse).argmax() == worst


def test_people_are_drawn_with_all_their_photographs(tmp_path: Path) -> None:
    photos = [Photo(tmp_path / f"{i}", str(i // 3), "x") for i in range(30)] + [Photo(tmp_path / "lone", "lone", "x")]
    chosen = choose_people(photos, 4, seed=0)
    assert len(chosen) == 12
    assert len({photo.identity for photo in chosen}) == 4
    assert "lone" not in {photo.identity for photo in choose_people(photos, 100, seed=0)}


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_degradation_is_repeatable_and_leaves_a_picture(kind: str, astronaut: Image.Image) -> None:
    first, again = (DEGRADATIONS[kind](astronaut, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert min(first.size) >= 16
    assert kind == "as taken" or not (first.size == astronaut.size and np.array_equal(first, astronaut))
