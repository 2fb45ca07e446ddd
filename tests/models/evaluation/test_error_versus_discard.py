"""Curves of quality from faces whose answers are known beforehand."""

import json

import numpy as np
import pytest

from models.evaluation.error_versus_discard import (
    DISCARDED,
    MEASURES,
    Rates,
    Samples,
    badness,
    by_value,
    error_versus_discard,
    report,
)


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


def test_who_has_no_other_photograph_takes_no_part() -> None:
    """Two photographs of each person, but one of the last: nothing to compare it with."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(60), 2)[:-1]
    rows = rng.normal(size=(60, 16))[person] + 0.5 * rng.normal(size=(len(person), 16))
    embedding = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    measures = {name: rng.random(len(person)) for name in MEASURES}
    kinds = np.array(["as taken"] * len(person))
    found = report(Samples(kinds, person, np.arange(len(person)), embedding, measures, {"as taken": 1.0}), bins=4)
    assert "NaN" not in json.dumps(found)
    assert 0 <= found["frr_untouched"] <= 1


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
