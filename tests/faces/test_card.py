"""What the model card answers and refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.errors import FarNotSupported
from app.faces.card import ModelCard
from tests.faces.conftest import card


def test_a_measured_rate_gives_its_own_threshold() -> None:
    assert [card().threshold_at_far(far) for far in (0.1, 0.01, 0.001)] == pytest.approx([1.5, 1.2, 0.9])
    assert card().default_threshold == pytest.approx(1.2)


def test_between_two_rates_the_threshold_is_interpolated_over_their_logarithm() -> None:
    assert card().threshold_at_far(10**-1.5) == pytest.approx(1.35)


@pytest.mark.parametrize("far", [1e-4, 0.2])
def test_a_rate_outside_what_was_measured_is_refused_with_what_can_be_had(far: float) -> None:
    with pytest.raises(FarNotSupported) as caught:
        card().threshold_at_far(far)
    assert caught.value.field == "far"
    assert caught.value.facts == {"min_far": 0.001, "max_far": 0.1, "impostor_pairs": 10_000}


@given(st.floats(0.001, 0.1))
def test_the_rate_at_a_rates_threshold_is_that_rate(far: float) -> None:
    rate = card().far_at(card().threshold_at_far(far))
    assert rate is not None
    assert rate.estimate == pytest.approx(far, rel=1e-6)
    assert rate.ci95[0] < far < rate.ci95[1]


@pytest.mark.parametrize("squared_l2", [0.0, 0.89, 1.51, 4.0])
def test_a_distance_that_the_pairs_cannot_speak_of_has_no_rate(squared_l2: float) -> None:
    assert card().far_at(squared_l2) is None


def test_a_card_survives_its_json() -> None:
    assert ModelCard.model_validate_json(card().model_dump_json()) == card()


def test_points_out_of_order_are_no_calibration() -> None:
    calibration = card().calibration.model_dump()
    calibration["curve"] = calibration["curve"][::-1]
    with pytest.raises(ValidationError, match="fall in FAR and threshold together"):
        card(calibration=calibration)


def test_what_is_no_number_is_no_calibration() -> None:
    fields = card().model_dump()
    fields["calibration"]["operating_points"][0]["ci95"] = [float("nan"), 1.0]
    with pytest.raises(ValidationError, match="finite number"):
        ModelCard.model_validate(fields)


def test_an_interval_that_reaches_zero_is_still_interpolated() -> None:
    calibration = card().calibration.model_dump()
    calibration["curve"][2]["ci95"] = (0.0, 0.003)
    rate = card(calibration=calibration).far_at(1.0)
    assert rate is not None
    assert 0 < rate.ci95[0] < rate.estimate < rate.ci95[1]
