"""Faces of people who do not exist."""

import numpy as np
import torch

from models.data import UNLABELLED, Batch
from models.morph import Morphs, morphed, warped


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(*greys: int, side: int = 24) -> torch.Tensor:
    return torch.tensor(greys, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, side, side, 3).clone()


def mean_grey(crops: torch.Tensor) -> torch.Tensor:
    """As a teacher of one coordinate would say it."""
    return crops.float().mean((1, 2, 3))[:, None]


def test_a_morph_lies_between_its_two_faces_and_repeats_with_its_seed() -> None:
    found = morphed(flat(*[40] * 30), flat(*[200] * 30), seeded())
    shares = (found.float().mean((1, 2, 3)) - 40) / 160
    assert 0 <= shares.min() < 0.2
    assert 0.8 < shares.max() <= 1
    assert found.dtype == torch.uint8
    assert torch.equal(found, morphed(flat(*[40] * 30), flat(*[200] * 30), seeded()))


def test_a_warp_moves_places_a_little_and_smoothly() -> None:
    place = torch.linspace(-1, 1, 96)
    across = place.expand(20, 1, 96, 96)
    both = torch.cat([across, across.transpose(2, 3), torch.zeros_like(across)], dim=1)
    moved = warped(both, seeded()) - both
    inner = moved[:, :2, 12:-12, 12:-12]
    assert 0.01 < inner.std() < 0.06  # in half sides: a few pixels of 96
    assert inner.diff(dim=3).abs().max() < 0.03
    assert (moved[0] - moved[1]).abs().max() > 0.01


def test_a_share_of_the_batch_becomes_nobody_with_the_teachers_word_for_it() -> None:
    crops = flat(*range(0, 200, 20))
    batch = Batch(crops, torch.arange(10), mean_grey(crops))
    found = Morphs(0.4, mean_grey)(batch, seeded())
    assert (found.people[:4] == UNLABELLED).all()
    assert torch.equal(found.people[4:], batch.people[4:])
    assert torch.equal(found.images[4:], batch.images[4:])
    np.testing.assert_allclose(found.teacher[:, 0], mean_grey(found.images)[:, 0], atol=1e-3)
    assert not torch.equal(found.teacher[:4], batch.teacher[:4])


def test_no_share_leaves_a_batch_as_it_is() -> None:
    crops = flat(1, 2, 3)
    batch = Batch(crops, torch.arange(3), mean_grey(crops))
    assert Morphs(0.1, mean_grey)(batch, seeded()) is batch
