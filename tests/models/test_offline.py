"""Offline mining: the farthest positives and nearest negatives of a part of all crops."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.data import Crops
from models.losses import squared_l2_matrix
from models.offline import mine_offline, offline_indices, rows_of_batch
from models.options import Options
from tests.models.conftest import FACES, PEOPLE


class MeanColour(nn.Module):
    """The mean colour as a unit vector: what tells the made-up people apart."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.training
        return nn.functional.normalize(self.scale * x.float().mean((2, 3)) + 0.1, dim=1)


@pytest.fixture
def options(crops_folder: Path) -> Options:
    crops = PEOPLE * FACES
    return Options(crops=crops_folder, out=crops_folder, side=40, mine_crops=crops, faces_per_person=FACES, bf16=False)


def test_each_anchor_gets_its_farthest_positive_and_nearest_negative(crops_folder: Path, options: Options) -> None:
    crops, network = Crops(crops_folder), MeanColour().train()
    found = mine_offline(network, crops, options, step=0)
    pixels = torch.from_numpy(crops[np.arange(len(crops))][:, 16:56, 16:56]).float().sub(127.5).div(127.5)
    embeddings = network.eval()(pixels.permute(0, 3, 1, 2)).detach()
    distances, people = squared_l2_matrix(embeddings, embeddings), crops.people
    assert sorted(found[:, 0]) == list(range(len(crops)))
    for anchor, positive, negative in found:
        others = [i for i in range(len(crops)) if i != anchor]
        farthest = max(distances[anchor, i] for i in others if people[i] == people[anchor])
        nearest = min(distances[anchor, i] for i in others if people[i] != people[anchor])
        assert people[positive] == people[anchor] != people[negative]
        assert distances[anchor, positive] == pytest.approx(float(farthest), abs=1e-6)
        assert distances[anchor, negative] == pytest.approx(float(nearest), abs=1e-6)


def test_the_network_goes_on_training_and_another_step_looks_at_other_crops(
    crops_folder: Path, options: Options
) -> None:
    crops, network = Crops(crops_folder), MeanColour().train()
    few = Options(crops=options.crops, out=options.out, side=40, mine_crops=12, faces_per_person=3)
    first, second, again = (mine_offline(network, crops, few, step) for step in (0, 100, 0))
    assert network.training
    assert len(first) == 12
    np.testing.assert_array_equal(first, again)
    assert set(first[:, 0]) != set(second[:, 0])


def test_a_batch_holds_anchors_then_positives_then_negatives(options: Options) -> None:
    triplets = np.arange(30).reshape(10, 3)
    options = Options(crops=options.crops, out=options.out, batch_size=16)
    for batch in islice(offline_indices(triplets, options, 0), 4):
        rows = rows_of_batch(len(batch), torch.device("cpu"))
        assert len(batch) == 15
        np.testing.assert_array_equal(batch[rows.positive], batch[rows.anchor] + 1)
        np.testing.assert_array_equal(batch[rows.negative], batch[rows.anchor] + 2)
