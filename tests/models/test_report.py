"""The whole report of a small network on made-up data: every section, its document and its pictures."""

import json
from pathlib import Path

import pytest
from PIL import Image

from app.faces.card import CardCalibration, CardInput
from models import manifest, report
from models.evaluation import image_quality
from models.evaluation.bench import network_sha256
from models.evaluation.document import write_report
from models.rows import read_rows, write_rows
from tests.faces.conftest import card, write_embedder
from tests.models.conftest import FACES, MIDDLE, write_crops
from tests.models.test_photographs import SPEC


@pytest.fixture
def command(tmp_path: Path, portrait: bytes) -> list[str]:
    """Two people with two photographs each as the held-out set, and colours as crops of the rest."""
    for name in ("ann/1", "ann/2", "bob/1", "bob/2"):
        path = tmp_path / "photos" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(portrait)
    manifest.write(manifest.folder_per_person(tmp_path / "photos", "mine"), tmp_path / "held-out.tsv")
    model = write_embedder(tmp_path / "tiny.onnx", card(input={"crop_px": 32, "template": SPEC.template}))
    return ["report", "--model", str(model), "--held-out", str(tmp_path / "held-out.tsv"), "--work",
            str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--threads", "1", "--processes", "1"]  # fmt: skip


def test_sections_are_kept_and_those_without_their_data_left_out(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = write_crops(tmp_path / "crops", side=32, people=40)
    write_embedder(tmp_path / "tiny.onnx", card(input=MIDDLE))
    monkeypatch.setattr("sys.argv", [*command, "--held-out-crops", str(crops), "--sections", "held_out_all_pairs"])
    report.main()
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(found) == {"model", "held_out_all_pairs"}
    assert found["held_out_all_pairs"]["people"] == 40
    (kept,) = (tmp_path / "work").glob("*/held_out_all_pairs-*.json")
    kept.write_text(kept.read_text().replace('"people": 40', '"people": 41'))
    report.main()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["held_out_all_pairs"]["people"] == 41
    others = write_crops(tmp_path / "others", side=32, people=30, seed=5)
    monkeypatch.setattr("sys.argv", [*command, "--held-out-crops", str(others), "--sections", "held_out_all_pairs"])
    report.main()  # another question
    assert json.loads((tmp_path / "out" / "report.json").read_text())["held_out_all_pairs"]["people"] == 30


def test_every_section_has_a_table_and_the_pictures_are_drawn(tmp_path: Path) -> None:
    figures = {
        "accuracy": 0.9, "accuracy_standard_error": 0.01, "val_at_far_0.01": 0.8, "failures_to_acquire": 1,
        "training_photographs": 5, "training_people": 2,
    }  # fmt: skip
    point = {"threshold": 1.0, "far": 0.1, "far_ci95": [0.05, 0.2], "val": 0.9, "val_ci95": [0.8, 0.95]}
    pairs = {
        "photographs": 9, "people": 3, "impostor_pairs": 27, "genuine_pairs": 9, "failures_to_acquire": 0,
        "points": [{"asked_far": 0.1, **point}], "roc": [[0.3, 0.95], [0.1, 0.9]],
        "card_points": [{"card_far": 0.1, **point}],
    }  # fmt: skip
    rate = {"rate": 0.1, "ci95": [0.05, 0.2]}
    damaged = [
        {"change": name, "photographs": 9, "failures_to_acquire": 0, "val_at_far_0.001": 0.5, "ci95": [0.4, 0.6],
         "at_card_threshold": {"far": 0.001, "val": 0.5}}
        for name in ("original", "jpeg-10", "pixels-1600")
    ]  # fmt: skip
    cohort = {
        "kind": "gender", "threshold_at": "0.01", "threshold": 1.0, "pairs": 10, "false_accepts": 2, "far": 0.2,
        "ci95": [0.1, 0.3], "supported": True,
    }  # fmt: skip
    rows = [cohort | {"first": a, "second": b} for a, b in (("f", "f"), ("f", "m"), ("m", "m"))]
    difference = {"kind": "gender", "threshold_at": "0.01", "highest": "f", "lowest": "m", "ratio": 2.0}
    compared = {
        "model": "tiny", "embedding_size": 8, "parameters": 10, "multiply_adds": 100, "training_photographs": None,
        "ms_per_face": 1.0, "lfw_accuracy": 0.9, "lfw_accuracy_standard_error": 0.01, "lfw_val_at_far_0.001": 0.5,
    }  # fmt: skip
    sections = {
        "lfw": {"view1": figures, "view2": figures, "view2_fixed_centre_crop": figures},
        "lfw_joint_bayesian": figures | {"view2": figures},
        "lfw_all_pairs": pairs,
        "held_out_all_pairs": pairs,
        "open_set": [{"data": "lfw", "enrolled": 3, "asked_fpir": f, "fpir": rate, "fnir": rate} for f in (0.1, 0.3)],
        "image_quality": damaged,
        "cohorts": {"UTKFace": {"photographs": 9, "differentials": [difference], "rows": rows}},
        "youtube_faces": figures,
        "comparison": [compared],
    }
    assert set(sections) == set(report.SECTIONS)
    write_report(card(), sections, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert text.count("\n## ") == len(sections)
    pictures = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 5
    for name in pictures:
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 300


def test_the_tables_of_other_networks_stay_when_a_report_is_written_anew(tmp_path: Path) -> None:
    rows: dict[str, object] = {}  # nobody trained any yet
    (tmp_path / "report.json").write_text(json.dumps({"model": {}, "open_set": [1], "training_tables": rows}))
    write_report(card(), {"lfw": {}}, tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert set(found) == {"model", "lfw", "training_tables"}
    assert found["training_tables"] == rows


def test_damaged_photographs_are_cropped_once_and_measured(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = tuple({"far": far, "threshold": 4 * far, "ci95": (far / 2, far * 2)} for far in (0.3, 0.1, 0.001))
    calibration = CardCalibration(
        data="",
        people=9,
        impostor_pairs=99,
        genuine_pairs=0,
        operating_points=wide,
        curve=wide,  # type: ignore[arg-type]
    )
    model = card(input=CardInput(crop_px=32, template=SPEC.template), calibration=calibration, default_far=0.1)
    write_embedder(tmp_path / "tiny.onnx", model)
    changes = {"original": None, "jpeg-10": image_quality.Compressed(10), "pixels-1600": image_quality.Shrunk(1600)}
    monkeypatch.setattr(image_quality, "changes", lambda: changes)
    monkeypatch.setattr("sys.argv", [*command, "--sections", "image_quality"])
    report.main()
    original, damaged, _ = json.loads((tmp_path / "out" / "report.json").read_text())["image_quality"]
    assert (original["photographs"], original["genuine_pairs"], original["impostor_pairs"]) == (4, 2, 4)
    assert damaged["failures_to_acquire"] == 0


def test_a_card_with_another_result_is_of_the_same_network_and_one_with_other_thresholds_is_not(tmp_path: Path) -> None:
    first, second, third = (
        (write_embedder(tmp_path / f"{number}.onnx", written), written)
        for number, written in enumerate((card(), card(results={"lfw": 1}), card(input=MIDDLE)))
    )
    assert network_sha256(*first) == network_sha256(*second) != network_sha256(*third)


def test_photographs_of_nobody_in_particular_are_not_all_of_one_person(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = write_crops(tmp_path / "crops", side=32, people=40)
    for part in crops.glob("part-*.tsv"):
        write_rows(part, [[p, "" if who == "p0" else who, of] for p, who, of in read_rows(part)])
    write_embedder(tmp_path / "tiny.onnx", card(input=MIDDLE))
    monkeypatch.setattr("sys.argv", [*command, "--held-out-crops", str(crops), "--sections", "held_out_all_pairs"])
    report.main()
    found = json.loads((tmp_path / "out" / "report.json").read_text())["held_out_all_pairs"]
    assert (found["people"], found["genuine_pairs"]) == (39, 39 * FACES * (FACES - 1) // 2)


def test_cohorts_without_labels_are_refused(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = write_crops(tmp_path / "crops", side=32, people=3)
    monkeypatch.setattr("sys.argv", [*command, "--cohorts", str(crops), "--sections", "cohorts"])
    with pytest.raises(SystemExit, match="is of a photograph below a folder UTKFace or All-Age-Faces"):
        report.main()
