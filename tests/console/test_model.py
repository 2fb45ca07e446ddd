"""The model's card and what a threshold costs, as the card itself says it."""

import re

import pytest

from app.faces.card import ModelCard
from tests.console.conftest import Console, one_in

RATES = """
async ({ curve, distances }) => {
  const { farAt, valAt, thresholdAt } = await import("/console/assets/rates.js");
  return distances.map((d) => {
    const far = farAt(curve, d);
    return [far?.estimate ?? null, far?.ci95 ?? null, far ? thresholdAt(curve, far.estimate) : null, valAt(curve, d)];
  });
}
"""

QUANTILES = """
async (text) => {
  const { parse, quantile } = await import("/console/assets/prometheus.js");
  return [0, 0.5, 0.9, 1].map((share) => quantile(parse(text), "took", { stage: "embed" }, share));
}
"""


def test_the_page_reads_the_curve_as_the_service_does(console: Console) -> None:
    page = console.open("model")
    document = page.request.get("/model").json()
    card = ModelCard.model_validate(document)
    curve = document["calibration"]["curve"]
    ends = (curve[-1]["threshold"], curve[0]["threshold"])
    between = [ends[0] + share * (ends[1] - ends[0]) for share in (0.013, 0.25, 0.5, 0.77, 0.999)]
    distances = [ends[0], *between, ends[1]]
    shown = page.evaluate(RATES, {"curve": curve, "distances": [*distances, ends[0] - 0.01, ends[1] + 0.01]})
    for distance, (far, ci95, threshold, val) in zip(distances, shown, strict=False):
        expected = card.far_at(distance)
        assert expected is not None
        assert far == pytest.approx(expected.estimate)
        assert ci95 == pytest.approx(list(expected.ci95))
        assert threshold == pytest.approx(card.threshold_at_far(far), abs=1e-6)
        assert curve[-1]["val"] - 1e-9 <= val <= curve[0]["val"] + 1e-9
    assert shown[-2:] == [[None, None, None, None]] * 2


def test_the_slider_shows_what_a_threshold_costs(console: Console) -> None:
    page = console.open("model")
    calibration = page.request.get("/model").json()["calibration"]
    point, curve = calibration["operating_points"][1], calibration["curve"]
    page.get_by_role("button", name=f"Show what {one_in(point['far'])} costs", exact=True).click()
    accepts, rejects = page.locator('[data-cost="accept"]').first, page.locator('[data-cost="reject"]')
    assert f"{one_in(point['far'])}\n" in accepts.inner_text()
    percent = 100 * (1 - point["val"])
    assert f"\n{percent:.{1 if percent < 10 else 0}f} %" in rejects.inner_text()
    slider = page.get_by_label("Threshold, squared L2")
    slider.press("Home")
    assert f"{one_in(curve[-1]['far'])}\n" in accepts.inner_text()
    assert f"{one_in(curve[-1]['far'])} pairs of different people" in slider.get_attribute("aria-valuetext")
    slider.press("End")
    assert one_in(curve[0]["far"]) in accepts.inner_text()


def test_the_size_of_a_gallery_changes_how_often_strangers_are_named(console: Console) -> None:
    page = console.open("model")
    far = page.request.get("/model").json()["default_far"]
    named = page.locator(".cost > div").nth(2)
    for faces in (10, 1):
        page.get_by_label("Faces in the gallery").fill(str(faces))
        assert f"up to {100 * faces * far:g} %" in named.inner_text()


def test_the_card_is_all_there(console: Console) -> None:
    page = console.open("model")
    card = page.request.get("/model").json()
    points = len(card["calibration"]["operating_points"])
    text = page.get_by_label("Card", exact=True).inner_text()
    for fact in (card["sha256"], card["id"], f"{card['parameters']:,}", card["provenance"]["terms"]):
        assert fact in text
    page.get_by_text("Measured accuracy").click()
    page.get_by_text("Where it comes from").click()
    assert "Teacher" in page.get_by_label("Card", exact=True).inner_text()
    assert page.get_by_role("img", name=re.compile("Receiver operating")).locator(".point").count() == points + 1


def test_quantiles_are_read_from_a_histogram_as_prometheus_does(console: Console) -> None:
    page = console.open("model")
    buckets = {"0.1": 2, "0.2": 6, "0.5": 8, "+Inf": 10}
    text = "# HELP took Time\n" + "".join(
        f'took_bucket{{le="{bound}",stage="embed"}} {count}\n' for bound, count in buckets.items()
    )
    # By hand: rank 5 is three quarters into the second bucket; 9 and 10 lie beyond the last bound.
    assert page.evaluate(QUANTILES, text) == pytest.approx([0, 0.175, 0.5, 0.5])
