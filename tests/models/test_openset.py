"""Open-set identification, against plain loops and people made up so that the truth is known."""

import numpy as np
import pytest

from app.faces.card import CardCalibration, CardInput, ModelCard
from models.calibrate import calibrate
from models.openset import bootstrap, identify, measure, over_galleries, rates
from models.pairs import PairTable

FACES = 3
SIZE = 16


def made_up(people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors, FACES near each of so many random points, float32 (people * FACES, SIZE), and their people."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.standard_normal((people, SIZE)), FACES, axis=0)
    rows = centres + 0.35 * rng.standard_normal(centres.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), np.repeat(np.arange(people), FACES)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    """Calibrated on people of the same kind, none of whom is measured."""
    found = calibrate(PairTable(*made_up(300, seed=1)), "made-up people")
    return ModelCard(
        id="made-up",
        architecture="none",
        embedding_size=SIZE,
        parameters=1,
        input=CardInput(),
        default_far=0.01,
        calibration=CardCalibration.model_validate(found.calibration),
    )


def test_rates_are_those_of_a_loop_over_probes_and_gallery() -> None:
    embeddings, people = made_up(40, seed=2)
    known, strangers = identify(embeddings, people, 25, seed=3)
    assert (known.count, strangers.count) == (25 * (FACES - 1), 15 * FACES)
    assert not set(known.people) & set(strangers.people)
    rng = np.random.default_rng(3)
    shuffled = rng.permutation(len(people))
    labels, first = np.unique(people[shuffled], return_index=True)
    enrolled = shuffled[first[rng.permutation(len(labels))[:25]]].tolist()
    threshold, named, missed = 0.9, 0, 0
    for probe in set(range(len(people))) - set(enrolled):
        distances = {e: float(((embeddings[e] - embeddings[probe]).astype(float) ** 2).sum()) for e in enrolled}
        nearest = min(distances, key=distances.__getitem__)
        hit = distances[nearest] < threshold
        if people[probe] in people[enrolled]:
            missed += not (hit and people[nearest] == people[probe])
        else:
            named += hit
    fpir, fnir = rates([(known, strangers)], threshold, seed=1)
    assert fpir.rate == pytest.approx(named / strangers.count)
    assert fnir.rate == pytest.approx(missed / known.count)
    assert 0 < fpir.rate < 1


def test_strangers_of_the_calibrated_kind_are_named_as_often_as_was_asked(card: ModelCard) -> None:
    rows = measure(*made_up(1100, seed=4), card, sizes=[100, 2000], asked=[0.1, 0.3, 1e-9], galleries=3)
    assert [(row["enrolled"], row["asked_fpir"]) for row in rows] == [(100, 0.1), (100, 0.3)]  # what can be measured
    for row in rows:
        assert row["fpir"]["ci95"][0] <= row["fpir"]["rate"] <= row["fpir"]["ci95"][1]
        # FAR x N bounds the chance that any of N names comes back, and is near it while it is small.
        assert 0.4 * row["asked_fpir"] < row["fpir"]["rate"] < 1.3 * row["asked_fpir"]
    assert rows[0]["fnir"]["rate"] >= rows[1]["fnir"]["rate"]


def test_an_interval_is_as_wide_as_the_people_and_not_as_their_photographs() -> None:
    rng = np.random.default_rng(5)
    named = rng.random(200) < 0.2
    few = bootstrap(np.repeat(named, 10), np.repeat(np.arange(200), 10), seed=1, resamples=1000)
    one = bootstrap(named, np.arange(200), seed=1, resamples=1000)
    assert np.array_equal(few, one)
    low, high = np.percentile(one, [2.5, 97.5])
    assert high - low == pytest.approx(4 * np.sqrt(0.2 * 0.8 / 200), rel=0.3)


def test_an_interval_is_as_wide_as_galleries_differ() -> None:
    people = np.arange(4000)
    often, seldom = (np.arange(4000) % 100 < share for share in (30, 10))
    measured = over_galleries([(often, people), (seldom, people)] * 4, seed=1)
    assert measured.rate == pytest.approx(0.2)
    assert measured.ci95 == (pytest.approx(0.1, abs=0.02), pytest.approx(0.3, abs=0.02))


def test_galleries_of_people_with_one_photograph_each_give_no_row(card: ModelCard) -> None:
    embeddings, people = made_up(100, seed=5)
    assert measure(embeddings[::FACES], people[::FACES], card, [20], [0.1], galleries=2) == []


def test_galleries_without_a_known_probe_do_not_count() -> None:
    outcomes = [(np.array([True, False]), np.array([1, 2])), (np.zeros(0, bool), np.zeros(0, np.int64))]
    assert over_galleries(outcomes, seed=1).rate == 0.5
