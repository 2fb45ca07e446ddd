"""Crops as batches: who is drawn, how often, and what augmentation leaves alone."""

import json
from dataclasses import asdict
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from app.faces.crop import CropSpec
from models import data
from models.data import UNLABELLED, Crops, batches, people_by_faces, share_of_people, shuffled
from tests.models.conftest import FACES, PEOPLE, write_crops


def test_crops_of_several_parts_have_one_index(crops_folder: Path) -> None:
    crops = Crops(crops_folder)
    parts = np.concatenate([np.load(path) for path in sorted(crops_folder.glob("part-*.npy"))])
    chosen = np.array([0, len(parts) - 1, len(parts) // 2, 3])
    assert len(crops) == PEOPLE * FACES
    np.testing.assert_array_equal(crops[chosen], parts[chosen])
    assert crops.names == [f"made/p{i}" for i in range(PEOPLE)]
    assert np.bincount(crops.people).tolist() == [FACES] * PEOPLE


def rounded(spec: CropSpec) -> tuple[tuple[float, float], ...]:
    return tuple((round(x, 6), round(y, 6)) for x, y in spec.template)


def test_the_geometry_of_a_window_is_that_of_the_crops_it_is_cut_from(tmp_path: Path) -> None:
    spec = CropSpec().scaled(160).widened(8)
    np.save(tmp_path / "part-00000.npy", np.zeros((1, 176, 176, 3), np.uint8))
    (tmp_path / "part-00000.tsv").write_text("a.jpg\tann\tmade\n")
    assert Crops(tmp_path).spec(112) == CropSpec()  # unrecorded: 112 px and a margin
    (tmp_path / "crop.json").write_text(json.dumps(asdict(spec)))
    assert Crops(tmp_path).spec(160) == CropSpec(160, rounded(CropSpec().scaled(160)))
    assert Crops(tmp_path).spec(176) == CropSpec(176, rounded(spec))


def test_the_geometry_of_crops_that_are_scaled_is_scaled_with_them(crops_folder: Path) -> None:
    spec = Crops(crops_folder).spec(36, crop_px=72)
    assert spec.crop_px == 36
    np.testing.assert_allclose(spec.template, np.array(Crops(crops_folder).spec(72).template) / 2, atol=1e-6)


def test_a_share_of_the_people_brings_all_crops_of_each_and_their_teacher(crops_folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "teacher.npy", np.arange(PEOPLE * FACES, dtype=np.float32)[:, None])
    everybody = Crops(crops_folder, tmp_path / "teacher.npy")
    some = Crops(crops_folder, tmp_path / "teacher.npy", people_share=0.25, seed=1)
    assert len(some) == len(some.files) == 2 * FACES
    assert np.bincount(some.people).tolist() == [FACES] * len(some.names) == [FACES] * 2
    for i in range(len(some)):
        (number,) = some.teacher[i].astype(int)
        assert some.files[i] == everybody.files[number]
        assert some.names[some.people[i]] == everybody.names[everybody.people[number]]
        np.testing.assert_array_equal(some[np.array([i])], everybody[np.array([number])])


def test_smaller_shares_lie_in_larger_ones_and_strangers_are_drawn_alike() -> None:
    people = np.array([*np.repeat(np.arange(64), 3), *[UNLABELLED] * 40])
    shares = [set(share_of_people(people, share, seed=7)) for share in (1 / 64, 1 / 8, 0.5, 1)]
    assert all(smaller < larger for smaller, larger in pairwise(shares))
    counts = [(len(np.unique(own[own != UNLABELLED])), int((own == UNLABELLED).sum()))
              for own in (people[sorted(share)] for share in shares)]  # fmt: skip
    assert counts == [(1, 1), (8, 5), (32, 20), (64, 40)]
    assert set(share_of_people(people, 0.5, seed=8)) != shares[2]


def test_people_keep_their_numbers_apart_from_strangers_in_a_share(tmp_path: Path) -> None:
    np.save(tmp_path / "part-00000.npy", np.zeros((6, 8, 8, 3), np.uint8))
    rows = [("a", "ann"), ("b", ""), ("c", "ann"), ("d", ""), ("e", "bob"), ("f", "cem")]
    (tmp_path / "part-00000.tsv").write_text("".join(f"{file}\t{name}\tmade\n" for file, name in rows))
    crops = Crops(tmp_path, people_share=0.5, seed=1)
    assert sorted(set(crops.people)) == [UNLABELLED, 0, 1]
    named = {file: name for file, name in rows if name}
    found = {file: crops.names[number] for file, number in zip(crops.files, crops.people, strict=True) if number >= 0}
    assert found == {file: f"made/{named[file]}" for file in found}


def test_a_folder_without_crops_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=rf"{folder.name} holds no crops; make them with models\.prepare"):
            Crops(folder)


def test_teacher_embeddings_of_another_number_are_refused(crops_folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "teacher.npy", np.zeros((7, 4), np.float32))
    with pytest.raises(ValueError, match="48 crops, 48 rows, 7 teacher embeddings"):
        Crops(crops_folder, tmp_path / "teacher.npy")


def test_every_crop_comes_once_a_pass_in_another_order_each_time() -> None:
    drawn = list(islice(shuffled(40, 8, 3), 10))
    first, second = np.concatenate(drawn[:5]), np.concatenate(drawn[5:])
    assert sorted(first) == sorted(second) == list(range(40))
    assert first.tolist() != second.tolist()


def test_crops_that_reside_on_a_device_are_found_there_in_blocks(
    crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "BLOCK", 7)
    crops, chosen = Crops(crops_folder), np.random.default_rng(0).permutation(PEOPLE * FACES)[:20]
    expected = crops[chosen]
    blocks = np.split(np.arange(len(crops)), range(7, len(crops), 7))
    crops._resident = [torch.from_numpy(crops[rows]) for rows in blocks]
    np.testing.assert_array_equal(crops.pixels(chosen).numpy(), expected)


def test_batches_of_people_hold_several_distinct_faces_of_each_and_nobody_unlabelled() -> None:
    people = np.array([0] * 9 + [1] * 3 + [2] + [UNLABELLED] * 20 + [3] * 5)
    for batch in islice(people_by_faces(people, 8, 4, 1), 20):
        assert len(batch) == len(set(batch)) == 8
        labels, counts = np.unique(people[batch], return_counts=True)
        assert set(labels) <= {0, 1, 3}
        assert counts.max() <= 4


def test_a_batch_is_the_same_wherever_the_feed_begins(crops_folder: Path) -> None:
    crops, chosen = Crops(crops_folder), [np.arange(8), np.arange(8, 16), np.arange(16, 24)]
    *_, last = batches(crops, chosen, 64, seed=5)
    (alone,) = batches(crops, chosen[2:], 64, seed=5, first_step=2)
    (moved,) = batches(crops, chosen[2:], 64, seed=5, first_step=3)
    assert torch.equal(last.images, alone.images)
    assert not torch.equal(last.images, moved.images)


def test_people_or_crops_that_do_not_fill_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="2 people with two faces or more give 4 faces, 2 each at most; a batch has 8"):
        next(people_by_faces(np.array([0, 0, 0, 1, 1, 2]), 8, 2, 1))
    with pytest.raises(ValueError, match="7 to draw from do not fill a batch of 8"):
        next(shuffled(7, 8, 1))


def test_an_error_while_batches_are_made_reaches_whoever_wants_them(crops_folder: Path) -> None:
    feed = batches(Crops(crops_folder), iter([np.array([10_000])]), 64, seed=0)
    with pytest.raises(IndexError):
        next(feed)


def test_crops_that_are_still_being_made_are_not_taken_for_all(tmp_path: Path) -> None:
    folder = write_crops(tmp_path / "crops")
    first, second, *_ = sorted(folder.glob("part-*.npy"))
    (folder / "unfinished").touch()
    with pytest.raises(ValueError, match="is not finished"):
        Crops(folder)
    (folder / "unfinished").unlink()
    assert second.exists()
    first.unlink()
    with pytest.raises(ValueError, match="is not finished"):
        Crops(folder)
