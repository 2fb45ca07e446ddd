"""Thresholds by risk, against a calibration small enough to read."""

import math
import re

import pytest

from app import thresholds
from app.errors import BadRequest, FarNotSupported
from app.faces.card import CardCalibration, CardInput, CardOperatingPoint, ModelCard

POINTS = tuple(
    CardOperatingPoint(far=far, threshold=threshold, ci95=(far / 2, far * 2))
    for far, threshold in [(1e-1, 1.4), (1e-2, 1.2), (1e-3, 1.0), (1e-4, 0.8)]
)
CARD = ModelCard(
    id="card",
    architecture="none",
    embedding_size=128,
    parameters=1,
    input=CardInput(),
    default_far=1e-3,
    calibration=CardCalibration(
        data="none", people=10, impostor_pairs=100_000, genuine_pairs=1, operating_points=POINTS, curve=POINTS
    ),
)


def identification(
    faces: int, *, threshold: float | None = None, fpir: float | None = None, default_fpir: float = 0.01
) -> thresholds.IdentificationThreshold:
    return thresholds.for_identification(CARD, faces=faces, threshold=threshold, fpir=fpir, default_fpir=default_fpir)


def test_verification_uses_the_cards_default() -> None:
    chosen = thresholds.for_verification(CARD, threshold=None, far=None, default=None)
    assert chosen == thresholds.VerificationThreshold(pytest.approx(1.0), 1e-3)


@pytest.mark.parametrize(("threshold", "default"), [(0.8, None), (None, 0.8), (0.8, 1.2)])
def test_an_explicit_threshold_wins_over_the_configured_one_and_both_over_the_card(
    threshold: float | None, default: float | None
) -> None:
    chosen = thresholds.for_verification(CARD, threshold=threshold, far=None, default=default)
    assert chosen.squared_l2 == 0.8
    assert chosen.far == pytest.approx(1e-4)


def test_a_threshold_outside_the_calibration_decides_but_claims_no_rate() -> None:
    chosen = thresholds.for_verification(CARD, threshold=0.1, far=None, default=None)
    assert chosen == thresholds.VerificationThreshold(0.1, None)


def test_verification_by_rate() -> None:
    chosen = thresholds.for_verification(CARD, threshold=None, far=1e-2, default=0.3)
    assert chosen == thresholds.VerificationThreshold(pytest.approx(1.2), 1e-2)


def test_a_rate_that_the_calibration_cannot_support_is_refused() -> None:
    with pytest.raises(FarNotSupported) as refusal:
        thresholds.for_verification(CARD, threshold=None, far=1e-6, default=None)
    assert refusal.value.facts["min_far"] == 1e-4


def test_two_ways_to_decide_are_one_too_many() -> None:
    with pytest.raises(BadRequest, match="not both"):
        thresholds.for_verification(CARD, threshold=1.0, far=1e-3, default=None)
    with pytest.raises(BadRequest, match="not both"):
        identification(1, threshold=1.0, fpir=0.1)


@pytest.mark.parametrize(("faces", "squared_l2"), [(1, 1.2), (10, 1.0), (100, 0.8)])
def test_the_threshold_of_an_identification_follows_from_the_size_of_the_gallery(faces: int, squared_l2: float) -> None:
    chosen = identification(faces, fpir=0.01)
    assert chosen == thresholds.IdentificationThreshold(pytest.approx(squared_l2), pytest.approx(0.01), True)


def test_an_empty_gallery_counts_as_one_face() -> None:
    assert identification(0) == identification(1)


def test_the_default_rate_falls_back_to_the_strictest_threshold_and_says_so() -> None:
    chosen = identification(1000)
    assert chosen.squared_l2 == pytest.approx(0.8)
    assert chosen.fpir == pytest.approx(0.1)
    assert not chosen.calibrated


def test_no_rate_is_above_one() -> None:
    assert identification(1_000_000).fpir == 1.0


def test_an_explicit_rate_that_cannot_be_supported_is_refused_with_the_smallest_that_can() -> None:
    with pytest.raises(FarNotSupported) as refusal:
        identification(1000, fpir=0.01)
    facts = refusal.value.facts
    assert refusal.value.field == "fpir"
    assert math.isclose(float(str(facts["min_fpir"])), 0.1)
    assert identification(1000, fpir=0.1).calibrated


@pytest.mark.parametrize("faces", [*range(1, 10), 99, 107, 123, 197, 246, 984])
def test_the_smallest_rate_that_was_told_is_taken(faces: int) -> None:
    with pytest.raises(FarNotSupported) as refusal:
        identification(faces, fpir=1e-9)
    assert identification(faces, fpir=float(str(refusal.value.facts["min_fpir"]))).calibrated
    told = re.search(r"FPIR (\S+) here", refusal.value.message)
    assert told
    assert identification(faces, fpir=float(told[1])).calibrated


def test_where_no_rate_can_be_had_none_is_told() -> None:
    with pytest.raises(FarNotSupported, match="no FPIR at all") as refusal:
        identification(1_000_000, fpir=1.0)
    assert "min_fpir" not in refusal.value.facts


def test_a_rate_above_the_calibration_is_met_by_its_most_lenient_threshold() -> None:
    chosen = identification(2, fpir=1.0)
    assert chosen == thresholds.IdentificationThreshold(pytest.approx(1.4), pytest.approx(0.2), True)


def test_an_explicit_threshold_says_what_it_costs_in_this_gallery() -> None:
    chosen = identification(50, threshold=1.0)
    assert chosen == thresholds.IdentificationThreshold(1.0, pytest.approx(0.05), True)


def test_an_explicit_threshold_outside_the_calibration_claims_no_rate() -> None:
    assert identification(50, threshold=0.1) == thresholds.IdentificationThreshold(0.1, None, False)
