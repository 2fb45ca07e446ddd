"""Operating points against brute force, and the command that writes them into a model file."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from app.faces.card import CardCalibration
from app.faces.embed import FaceEmbedder
from models import pairs
from models.calibrate import assumed_people, calibrate, main, rates
from models.pairs import PairTable, bootstrap
from tests.faces.conftest import card, write_embedder
from tests.models.conftest import FACES, MIDDLE, write_crops


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
    fars = rates(table)
    assert fars[-1] * table.impostor_pairs >= 10 > fars[-1] * table.impostor_pairs * 10**-0.2
    assert fars == sorted(fars, reverse=True)
    assert {0.3, 0.1, 0.01} <= set(fars)


def test_a_bootstrap_draw_counts_a_pair_as_often_as_both_its_people_were_drawn(
    embeddings: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "RESAMPLES", 3)
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
    card = CardCalibration.model_validate(calibrate(PairTable(*embeddings), "made-up people").calibration)
    assert [point.far for point in card.operating_points] == [0.1, 0.01]
    assert card.people == 40
    for point in card.curve:
        assert point.ci95[0] <= point.far <= point.ci95[1]


def test_rates_that_the_data_cannot_support_are_refused_with_what_they_need(
    embeddings: tuple[np.ndarray, np.ndarray],
) -> None:
    refused = calibrate(PairTable(*embeddings), "made-up people").refused
    assert list(refused) == ["0.001", "0.0001", "1e-05", "1e-06"]
    assert refused["0.001"] == "needs 10,000 impostor pairs, there are 7,020"


def test_a_rate_whose_false_accepts_hang_on_one_pair_of_people_is_refused() -> None:
    """Two twins with twenty photographs each: 400 near pairs of 44,000, which many a draw of people lacks."""
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(30), [20, 20] + [10] * 28)
    centres = rng.normal(size=(30, 64))
    centres[1] = centres[0]
    rows = centres[people] + 0.05 * rng.normal(size=(len(people), 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = calibrate(PairTable(rows.astype(np.float32), people), "twins")
    assert found.refused["0.001"].startswith("in one of forty draws")
    assert min(point["far"] for point in found.calibration["curve"]) > 400 / 44_000


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_handful_of_people_with_many_photographs_never_gives_an_interval_that_is_no_number(count: int) -> None:
    """Some draws are of one person alone, who is no impostor of anybody."""
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(count), 300 // count)
    rows = rng.normal(size=(count, 16))[people] + rng.normal(size=(len(people), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    table = PairTable(rows.astype(np.float32), people)
    assert np.isfinite(bootstrap(table, [0.5, 1.0])).all()
    if count == 5:
        found = calibrate(table, "a handful")
        assert all(np.isfinite(point["ci95"]).all() for point in found.calibration["curve"])
    else:
        with pytest.raises(ValueError, match="draws of people"):
            calibrate(table, "a handful")


def test_one_person_alone_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="4 crops of one person: there is no pair of two people"):
        calibrate(PairTable(np.eye(4, dtype=np.float32), np.zeros(4, np.int64)), "one person")


def test_too_few_people_support_nothing() -> None:
    rows = np.eye(4, dtype=np.float32)
    with pytest.raises(ValueError, match=r"6 impostor pairs of 4 people .* FAR 0.1: needs 100 impostor pairs"):
        calibrate(PairTable(rows, np.arange(4)), "four people")


def test_unlabelled_people_give_the_thresholds_of_labelled_ones_where_each_occurs_once() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(150, 6))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    copies = np.concatenate([rows, rows[:20]])
    labelled = calibrate(PairTable(rows, np.arange(150)), "each once").calibration
    people = assumed_people(copies, same_below=1e-4)
    assert people[150:].tolist() == people[:20].tolist()
    table = PairTable(copies, people)
    found = calibrate(table, "copies", same_below=1e-4, assumed_same=len(table.genuine)).calibration
    assert (found["people"], len(table.genuine)) == (150, 20)
    assert found["operating_points"][0]["val"] is None
    assert found["operating_points"][0]["threshold"] == pytest.approx(
        labelled["operating_points"][0]["threshold"], rel=0.05
    )
    assert found["genuine_pairs"] == 0


def test_no_unlabelled_threshold_lies_where_people_were_merged_and_the_interval_counts_the_merged() -> None:
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(300, 3))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    table = PairTable(rows, np.arange(300))
    found = calibrate(table, "sphere", same_below=0.1, assumed_same=0)
    # On a sphere squared L2 is uniform: FAR 0.01 has threshold 0.04.
    assert "is not above 0.1, below which people were merged" in found.refused["0.01"]
    wider = calibrate(table, "sphere", same_below=0.1, assumed_same=4485).calibration["curve"]
    for narrow, wide in zip(found.calibration["curve"], wider, strict=True):
        assert wide["ci95"][0] == narrow["ci95"][0]
        assert wide["ci95"][1] == pytest.approx(narrow["ci95"][1] + 4485 / 44850, rel=0.01)


@pytest.fixture(scope="module")
def forty_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crops(tmp_path_factory.mktemp("forty"), side=32, people=40)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["calibrate", *map(str, arguments), "--data", "made up", "--threads", "1"])
    main()


def test_a_calibration_is_written_into_the_file_and_the_embeddings_stay(
    tmp_path: Path, forty_people: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_embedder(tmp_path / "tiny.onnx", card(input=MIDDLE))
    before = FaceEmbedder(model)
    run(monkeypatch, forty_people, "--model", model, "--default-far", 0.1, "--write", "--plot", tmp_path / "curve.png")
    after = FaceEmbedder(model)
    grey = np.random.default_rng(1).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(before.embed(grey), after.embed(grey))
    assert after.card.calibration.people == 40
    assert after.card.calibration.impostor_pairs == ((40 * FACES) ** 2 - 40 * FACES**2) // 2
    assert after.card.default_far == 0.1
    assert after.card.results["calibration"]["photographs"] == 40 * FACES
    assert "FAR 0.0001: refused, needs 100,000 impostor pairs" in capsys.readouterr().out
    assert (tmp_path / "curve.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("photographs", "model", "fact"),
    [
        ("forty", "nope.onnx", "no model file at nope.onnx"),
        ("nowhere", "tiny.onnx", "no photographs in nowhere"),
        ("nope.tsv", "tiny.onnx", "nope.tsv: No such file or directory"),
    ],
)
def test_what_is_not_there_ends_the_command_with_the_fact(
    tmp_path: Path, forty_people: Path, monkeypatch: pytest.MonkeyPatch, photographs: str, model: str, fact: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forty").symlink_to(forty_people)
    write_embedder(tmp_path / "tiny.onnx", card(input=MIDDLE))
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, photographs, "--model", model)
    assert end.value.code == fact


def test_a_default_rate_that_the_photographs_do_not_support_is_not_written(
    tmp_path: Path, forty_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_embedder(tmp_path / "tiny.onnx", card(input=MIDDLE, default_far=0.001))
    before = model.read_bytes()
    with pytest.raises(SystemExit, match="choose another with --default-far"):
        run(monkeypatch, forty_people, "--model", model, "--write")
    assert model.read_bytes() == before


def test_a_threshold_as_it_is_written_accepts_no_more_than_was_asked() -> None:
    rows = np.random.default_rng(4).normal(size=(500, 8))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    table = PairTable(rows, np.arange(500))
    fars = rates(table)
    for far in fars:
        threshold, allowed = table.threshold(far), int(far * table.impostor_pairs)
        assert threshold == round(threshold, 5)
        assert (table.squared_l2 < threshold).sum() <= allowed < (table.squared_l2 < threshold + 2e-5).sum()


def test_pairs_that_are_no_distance_apart_give_no_threshold() -> None:
    rows = np.tile(np.eye(1, 8, dtype=np.float32), (200, 1))
    with pytest.raises(ValueError, match=r"FAR 0\.1: that many pairs of different people are no distance apart"):
        calibrate(PairTable(rows, np.arange(200)), "one face under many names")


def test_embeddings_of_a_network_that_diverged_are_refused() -> None:
    rows = np.full((4, 8), np.nan, np.float32)
    with pytest.raises(ValueError, match="some embeddings are not finite numbers"):
        PairTable(rows, np.arange(4))
