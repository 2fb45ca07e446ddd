"""Crops as batches: who is drawn, how often, and what augmentation leaves alone."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from models.augment import augment, shifted
from models.data import UNLABELLED, Crops, batches, people_by_faces, shuffled
from tests.models.conftest import FACES, PEOPLE, SIDE


def test_crops_of_several_parts_have_one_index(crops_folder: Path) -> None:
    crops = Crops(crops_folder)
    parts = np.concatenate([np.load(path) for path in sorted(crops_folder.glob("part-*.npy"))])
    chosen = np.array([0, len(parts) - 1, len(parts) // 2, 3])
    assert len(crops) == PEOPLE * FACES
    np.testing.assert_array_equal(crops[chosen], parts[chosen])
    assert crops.names == [f"made/p{i}" for i in range(PEOPLE)]
    assert np.bincount(crops.people).tolist() == [FACES] * PEOPLE


def test_teacher_embeddings_of_another_number_are_refused(crops_folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "teacher.npy", np.zeros((7, 4), np.float32))
    with pytest.raises(ValueError, match="48 crops, 48 rows, 7 teacher embeddings"):
        Crops(crops_folder, tmp_path / "teacher.npy")


def test_every_crop_comes_once_a_pass_in_another_order_each_time() -> None:
    drawn = list(islice(shuffled(40, 8, seed=3), 10))
    first, second = np.concatenate(drawn[:5]), np.concatenate(drawn[5:])
    assert sorted(first) == sorted(second) == list(range(40))
    assert first.tolist() != second.tolist()


def test_batches_of_people_hold_several_distinct_faces_of_each_and_nobody_unlabelled() -> None:
    people = np.array([0] * 9 + [1] * 3 + [2] + [UNLABELLED] * 20 + [3] * 5)
    for batch in islice(people_by_faces(people, 8, 4, seed=1), 20):
        assert len(batch) == len(set(batch)) == 8
        labels, counts = np.unique(people[batch], return_counts=True)
        assert set(labels) <= {0, 1, 3}
        assert counts.max() <= 4


def test_an_unaugmented_window_is_the_middle_of_the_crop_or_its_mirror_image() -> None:
    crops = torch.arange(6 * 20 * 20 * 3, dtype=torch.uint8).view(6, 20, 20, 3)
    windows = shifted(crops, 20, torch.Generator().manual_seed(0))
    for crop, window in zip(crops, windows, strict=True):
        assert torch.equal(window, crop) or torch.equal(window, crop.flip(1))


def test_augmentation_keeps_shape_and_range_and_repeats_with_its_seed() -> None:
    crops = torch.randint(0, 256, (32, SIDE, SIDE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    first = augment(crops, 64, torch.Generator().manual_seed(5))
    assert first.shape == (32, 3, 64, 64)
    assert first.abs().max() <= 1
    torch.testing.assert_close(first, augment(crops, 64, torch.Generator().manual_seed(5)), rtol=0, atol=0)


def test_an_error_while_batches_are_made_reaches_whoever_wants_them(crops_folder: Path) -> None:
    feed = batches(Crops(crops_folder), iter([np.array([10_000])]), 64, seed=0)
    with pytest.raises(IndexError):
        next(feed)
