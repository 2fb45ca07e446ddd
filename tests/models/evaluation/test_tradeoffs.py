"""Models side by side."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.data import Crops
from models.evaluation.tradeoffs import opened, row
from models.networks import build
from tests.models.conftest import write_crops
from tests.models.evaluation.conftest import CHANNELS, SIDE

PEOPLE = 40


@pytest.fixture(scope="module")
def lfw_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One fold of PEOPLE same pairs, then of different ones, over and over until a rate of 1e-3 can be measured."""
    folder = tmp_path_factory.mktemp("lfw")
    same = [f"P{i % PEOPLE}\t1\t2" for i in range(1000)]
    different = [f"P{i % PEOPLE}\t1\tP{(i + 1 + i // PEOPLE) % PEOPLE}\t2" for i in range(1000)]
    (folder / "pairs.txt").write_text("\n".join(["1\t1000", *same, *different]) + "\n")
    return folder


def test_a_model_file_is_described_by_its_card_and_its_graph(network: Path) -> None:
    model = opened(network, network.parent, threads=1)
    assert (model.name, model.expected.crop_px, model.embedding_size) == ("tiny", SIDE, 8)
    assert model.multiply_adds == CHANNELS * 16 * 16 * 27 + CHANNELS * 8
    assert model.training_photographs is None


def test_a_checkpoint_is_exported_and_counted(tmp_path: Path, crops_folder: Path) -> None:
    network = build("nn2", 16, 64)
    options = {"network": "nn2", "embedding_size": 16, "side": 64, "crops": str(crops_folder)}
    torch.save({"network": network.state_dict(), "options": options, "step": 0}, tmp_path / "last.pt")
    model = opened(tmp_path / "last.pt", tmp_path, threads=1)
    assert model.training_photographs == len(Crops(crops_folder))
    assert model.parameters == sum(parameter.numel() for parameter in network.parameters())
    images = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1)
    np.testing.assert_allclose(model.embed(images), expected.numpy(), atol=1e-4)


def test_a_row_has_cost_and_accuracy(network: Path, lfw_pairs: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 255, (PEOPLE, 1, 1, 3))
    crops = {
        f"P{i}_{k:04d}": np.clip(colours[i] + rng.integers(-9, 10, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
        for i in range(PEOPLE)
        for k in (1, 2)
    }
    held_out = Crops(write_crops(tmp_path / "held-out", side=SIDE, people=40))
    model = opened(network, tmp_path, 1)
    found = row(model, lfw_pairs, crops, held_out)
    assert found["lfw_accuracy"] > 0.95  # flat colours are told apart
    assert found["ms_per_face"] > 0
    assert found["held_out_val_ci95"][0] <= found["held_out_val_at_far_0.001"] <= found["held_out_val_ci95"][1]
    assert "held_out_val_at_far_0.001" not in row(model, lfw_pairs, crops, None)
