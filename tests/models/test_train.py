"""A tiny run from crops to a served file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from app.faces.embed import FaceEmbedder
from models import export, train
from models.data import Crops
from tests.models.conftest import write_crops

pytestmark = [
    # torch's TorchScript exporter says that it is the old one; the new one cannot name the batch axis as simply.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
    pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


def run(monkeypatch: pytest.MonkeyPatch, crops: Path, out: Path, *arguments: str) -> list[dict[str, float]]:
    common = ["--side", "64", "--batch-size", "16", "--report-steps", "3", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["train", str(crops), "--out", str(out), *common, *arguments])
    train.main()
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def teacher(crops_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One direction for each person."""
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 8)))[0].T
    path = tmp_path_factory.mktemp("teacher") / "teacher.npy"
    np.save(path, directions[Crops(crops_folder).people].astype(np.float32))
    return path


def test_distillation_brings_a_student_nearer_to_its_teacher(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    log = run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--passes", "5", "--growing", "0.4")
    assert log[-1]["step"] == 15
    assert log[-1]["distillation"] < log[0]["distillation"] - 0.2


def test_triplets_alone_train_without_a_teacher(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, tmp_path: Path
) -> None:
    options = ["--faces-per-person", "4", "--optimiser", "adagrad", "--learning-rate", "0.01", "--passes", "2"]
    log = run(monkeypatch, crops_folder, tmp_path, *options)
    assert all(np.isfinite(row["triplet"]) for row in log)
    assert (tmp_path / "last.pt").exists()


def test_a_run_goes_on_from_its_checkpoint(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--passes", "2")
    before = torch.load(tmp_path / "last.pt", weights_only=True)
    log = run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--passes", "3", "--resume")
    after = torch.load(tmp_path / "last.pt", weights_only=True)
    assert (before["step"], after["step"]) == (6, 9)
    assert [row["step"] for row in log] == [3, 6, 9]
    weight = "embedding.linear.weight"
    assert not torch.equal(before["network"][weight], after["network"][weight])


def test_batches_after_a_resumption_are_those_of_an_uninterrupted_run(crops_folder: Path, tmp_path: Path) -> None:
    crops, options = Crops(crops_folder), train.Options(crops_folder, tmp_path, batch_size=16)
    uninterrupted = train.indices(crops, options, 0)
    for _ in range(5):
        next(uninterrupted)
    np.testing.assert_array_equal(next(uninterrupted), next(train.indices(crops, options, 5)))


def test_the_learning_rate_warms_up_and_falls_to_zero(tmp_path: Path) -> None:
    options = train.Options(tmp_path, tmp_path, warmup=0.1, learning_rate=0.4)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=9.0)
    seen = []
    for progress in (0.0, 0.05, 0.1, 0.55, 1.0):
        train.set_learning_rate(optimiser, options, progress)
        seen.append(optimiser.param_groups[0]["lr"])
    assert seen == pytest.approx([0, 0.2, 0.4, 0.2, 0], abs=1e-6)


def test_a_trained_network_becomes_a_file_that_the_service_loads(
    monkeypatch: pytest.MonkeyPatch, crops_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    run(monkeypatch, crops_folder, tmp_path, "--teacher", str(teacher), "--passes", "1")
    held_out = write_crops(tmp_path / "held-out", seed=7)
    (tmp_path / "provenance.json").write_text('{"data": "made-up people"}')
    out = tmp_path / "tiny.onnx"
    arguments = ["export", str(tmp_path / "last.pt"), "--id", "tiny", "--out", str(out), "--default-far", "0.1"]
    arguments += ["--calibration-crops", str(held_out), "--calibration-data", "made-up people"]
    arguments += ["--provenance", str(tmp_path / "provenance.json")]
    monkeypatch.setattr(sys, "argv", arguments)
    export.main()

    embedder = FaceEmbedder(out)
    card = embedder.card
    assert (card.id, card.embedding_size, card.input.crop_px) == ("tiny", 128, 64)
    assert card.provenance["data"] == "made-up people"
    assert card.calibration.impostor_pairs == 48 * 47 // 2 - 8 * 15
    crops = Crops(held_out)[np.arange(4)][:, 4:68, 4:68]
    network, _ = export.load_network(tmp_path / "last.pt")
    with torch.inference_mode():
        expected = network((torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 127.5)
    np.testing.assert_allclose(embedder.embed(crops), expected.numpy(), atol=1e-4)
