"""Cohorts: names, and rates against double loops."""

from itertools import combinations

import numpy as np
import pytest

from models.evaluation.cohorts import Labels, differentials, labelled, labels_of, measure


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("26_1_2_20170116174525125.jpg.chip.jpg", Labels("20-39", "female", "Asian")),
        ("100_0_0_20170112213500903.jpg", Labels("60+", "male", "White")),
        ("00000A02.jpg", Labels("00-12", "female", None)),
        ("07380A80.jpg", Labels("60+", "female", None)),
        ("07381A13.jpg", Labels("13-19", "male", None)),
        ("61_3_20170109150557335.jpg.chip.jpg", None),  # UTKFace has three such, without an ethnicity
        ("holiday.jpg", None),
    ],
)
def test_a_file_name_says_age_gender_and_ethnicity_or_nothing(name: str, labels: Labels | None) -> None:
    assert labels_of(name) == labels


def test_files_without_labels_are_left_out(tmp_path) -> None:  # type: ignore[no-untyped-def]
    chosen, labels = labelled([tmp_path / "a.jpg", tmp_path / "00001A20.jpg"])
    assert chosen.tolist() == [1]
    assert labels == [Labels("20-39", "female", None)]


@pytest.fixture(scope="module")
def faces() -> tuple[np.ndarray, list[Labels]]:
    """Women lie closer together than men; the last woman is a copy of the first."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(120, 24))
    rows[:60, 0] += 4.0
    rows[59] = rows[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = [Labels("20-39", "female" if i < 60 else "male", ("White", "Black")[i % 2]) for i in range(120)]
    return rows.astype(np.float32), labels


def test_rates_within_and_across_are_those_of_a_loop_and_copies_do_not_count(
    faces: tuple[np.ndarray, list[Labels]],
) -> None:
    embeddings, labels = faces
    rows = measure(embeddings, labels, {"0.01": 1.5})
    assert {row["kind"] for row in rows} == {"gender", "ethnicity"}  # all are of one age
    for row in (row for row in rows if row["kind"] == "gender"):
        wanted = {row["first"], row["second"]}
        pairs = [
            (i, j)
            for i, j in combinations(range(120), 2)
            if {labels[i].gender, labels[j].gender} == wanted and (i, j) != (0, 59)
        ]
        accepted = sum(((embeddings[i] - embeddings[j]) ** 2).sum() < 1.5 for i, j in pairs)
        assert (row["pairs"], row["false_accepts"]) == (len(pairs), accepted)
        assert row["far"] == pytest.approx(accepted / len(pairs), rel=0.01)
        assert row["ci95"][0] <= row["far"] <= row["ci95"][1]
        assert row["supported"] == (accepted >= 10)


def test_a_differential_compares_the_cohorts_within_themselves(faces: tuple[np.ndarray, list[Labels]]) -> None:
    rows = measure(*faces, {"0.01": 1.5})
    (gender,) = [d for d in differentials(rows) if d["kind"] == "gender"]
    within = {row["first"]: row["far"] for row in rows if row["kind"] == "gender" and row["first"] == row["second"]}
    assert (gender["highest"], gender["lowest"]) == ("female", "male")
    assert gender["ratio"] == pytest.approx(within["female"] / within["male"], abs=0.01)
