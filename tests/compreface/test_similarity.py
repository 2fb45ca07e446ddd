"""The similarity that clients compare with their thresholds falls with the distance and says what it costs."""

import math
import re
from pathlib import Path

import pytest

from app.compreface.similarity import SimilarityCurve, check_calibration
from app.errors import ConfigurationError
from app.service import FaceService

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def curve(service: FaceService) -> SimilarityCurve:
    return SimilarityCurve.of(service.card)


@pytest.mark.parametrize(("far", "similarity"), [(1e-2, 0.5), (1e-4, 0.9)])
def test_it_stands_for_a_false_accept_rate(
    service: FaceService, curve: SimilarityCurve, far: float, similarity: float
) -> None:
    assert curve.at(service.card.threshold_at_far(far)) == similarity


def test_it_falls_from_one_to_zero_over_all_distances(curve: SimilarityCurve) -> None:
    similarities = [curve.at(step / 1000) for step in range(4001)]
    assert similarities == sorted(similarities, reverse=True)
    assert (similarities[0], similarities[-1]) == (1.0, pytest.approx(0.0, abs=1e-3))
    inner = [similarity for similarity in similarities if 0.01 < similarity < 0.99]
    assert len(set(inner)) == len(inner)


def test_it_is_compreface_s_own_function(curve: SimilarityCurve) -> None:
    for distance in (0.3, 0.8, 1.1, 1.6):
        logistic = 1 / (1 + math.exp(-2 * curve.slope * (curve.middle - distance)))
        assert curve.at(distance**2) == pytest.approx(logistic, abs=1e-5)


@pytest.mark.parametrize("similarity", [0.1, 0.5, 0.6, 0.9, 0.99])
def test_it_can_be_turned_into_a_distance(curve: SimilarityCurve, similarity: float) -> None:
    assert curve.at(curve.squared_l2(similarity)) == similarity


def test_the_documentation_says_what_thresholds_cost(service: FaceService, curve: SimilarityCurve) -> None:
    documented = (REPOSITORY / "docs" / "compreface.md").read_text()
    rows = re.findall(r"^\| (0\.\d+) \| 1 in ([\d,]+) \|", documented, re.MULTILINE)
    assert len(rows) == 8
    for similarity, strangers in rows:
        measured = service.card.far_at(curve.squared_l2(float(similarity)))
        assert measured is not None
        # Between the two fixed points it is the model's to say, and models differ a little.
        assert 1 / 3 < measured.estimate * int(strangers.replace(",", "")) < 3


def test_a_model_that_cannot_say_what_it_means_is_refused(service: FaceService) -> None:
    card = service.card
    coarse = card.calibration.model_copy(update={"curve": card.calibration.curve[:2]})
    with pytest.raises(ConfigurationError, match="SAMEFACE_COMPREFACE needs a model that is calibrated"):
        check_calibration(card.model_copy(update={"calibration": coarse}))
