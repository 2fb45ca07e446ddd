"""Who is drawn, and what is done to photographs, to learn what quality is worth."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.degrade import DEGRADATIONS
from models.manifest import Photo
from models.quality import choose_people


def test_people_are_drawn_with_all_their_photographs(tmp_path: Path) -> None:
    photos = [Photo(tmp_path / f"{i}", str(i // 3), "x") for i in range(30)] + [Photo(tmp_path / "lone", "lone", "x")]
    chosen = choose_people(photos, 4, seed=0)
    assert len(chosen) == 12
    assert len({photo.identity for photo in chosen}) == 4
    assert "lone" not in {photo.identity for photo in choose_people(photos, 100, seed=0)}


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_degradation_is_repeatable_and_leaves_a_picture(kind: str, astronaut: Image.Image) -> None:
    first, again = (DEGRADATIONS[kind](astronaut, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert min(first.size) >= 16
    assert kind == "as taken" or not (first.size == astronaut.size and np.array_equal(first, astronaut))
