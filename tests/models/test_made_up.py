"""Made-up faces beside the crops that they are made of."""

import csv
from pathlib import Path

import numpy as np
import pytest

from models import made_up
from models.data import UNLABELLED, Crops
from models.made_up import add_made_up
from models.provenance import counted
from tests.models.conftest import FACES, PEOPLE

CROPS = PEOPLE * FACES


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up, "PART_SIZE", 7)


def test_the_crops_stay_and_made_up_faces_follow_that_nobody_named(crops_folder: Path, tmp_path: Path) -> None:
    add_made_up(crops_folder, tmp_path / "both", count=10)
    before, both = Crops(crops_folder), Crops(tmp_path / "both")
    assert len(both) == CROPS + 10
    np.testing.assert_array_equal(both[np.arange(CROPS)], before[np.arange(CROPS)])
    assert both.people[:CROPS].tolist() == before.people.tolist()
    assert (both.people[CROPS:] == UNLABELLED).all()
    assert both.stored_px == before.stored_px


def test_a_made_up_face_is_of_the_two_colours_whose_files_it_names(crops_folder: Path, tmp_path: Path) -> None:
    """These crops are of one colour each, which no warp changes."""
    add_made_up(crops_folder, tmp_path / "both", count=10)
    both = Crops(tmp_path / "both")
    colour = {path: both[np.array([i])].mean((0, 1, 2)) for i, path in enumerate(both.files[:CROPS])}
    for i in range(CROPS, CROPS + 10):
        first, second = (colour[path] for path in both.files[i].split("+"))
        found = both[np.array([i])].mean((0, 1, 2))
        assert (np.minimum(first, second) - 1.5 < found).all()
        assert (found < np.maximum(first, second) + 1.5).all()


def test_a_larger_count_keeps_whole_parts_and_ends_as_if_asked_for_at_once(crops_folder: Path, tmp_path: Path) -> None:
    add_made_up(crops_folder, tmp_path / "once", count=20)
    add_made_up(crops_folder, tmp_path / "twice", count=10)
    first = sorted((tmp_path / "twice").glob("part-?????.npy"))[-2]
    made = first.stat().st_mtime_ns
    add_made_up(crops_folder, tmp_path / "twice", count=20)
    assert first.stat().st_mtime_ns == made
    rows = np.arange(CROPS + 20)
    np.testing.assert_array_equal(Crops(tmp_path / "once")[rows], Crops(tmp_path / "twice")[rows])


def test_another_seed_makes_others(crops_folder: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        add_made_up(crops_folder, tmp_path / f"{seed}", count=7, seed=seed)
    zero, one = (Crops(tmp_path / f"{seed}")[np.arange(CROPS, CROPS + 7)] for seed in (0, 1))
    assert not np.array_equal(zero, one)


def test_made_up_faces_are_not_counted_as_photographs(crops_folder: Path, tmp_path: Path) -> None:
    add_made_up(crops_folder, tmp_path / "both", count=10)
    found = counted(tmp_path / "both")
    assert found["made_up_faces"] == 10
    assert {**found, "made_up_faces": 0} == {**counted(crops_folder), "made_up_faces": 0}


def test_a_folder_without_crops_and_the_crops_own_folder_are_refused(crops_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"models\.prepare"):
        add_made_up(tmp_path, tmp_path / "both", count=1)
    with pytest.raises(ValueError, match="choose another folder"):
        add_made_up(crops_folder, crops_folder, count=1)


def test_the_sources_column_says_made_up(crops_folder: Path, tmp_path: Path) -> None:
    add_made_up(crops_folder, tmp_path / "both", count=7)
    last = sorted((tmp_path / "both").glob("part-?????.tsv"))[-1]
    with last.open(newline="") as file:
        assert {source for _, _, source in csv.reader(file, delimiter="\t")} == {"made up"}
