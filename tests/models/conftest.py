"""Synthetic people: flat colours with a little noise, which a network tells apart in a few steps."""

import csv
from pathlib import Path

import numpy as np
import pytest

from app.faces.card import CardInput
from app.faces.crop import CropSpec

PEOPLE, FACES, SIDE = 8, 6, 72

# What a network of 32 px wants that is fed from the middle of these crops.
MIDDLE = CardInput(crop_px=32, template=CropSpec().widened(-40).template)


def write_crops(folder: Path, seed: int = 0, side: int = SIDE, people: int = PEOPLE) -> Path:
    """A folder as `models.prepare` writes it, in two parts: people x FACES crops, in shuffled order."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(30, 225, (people, 1, 1, 3))
    person = rng.permutation(np.repeat(np.arange(people), FACES))
    noise = rng.integers(-20, 21, (len(person), side, side, 3))
    crops = np.clip(colours[person] + noise, 0, 255).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(np.array_split(np.arange(len(person)), 2)):
        np.save(folder / f"part-{number:05d}.npy", crops[rows])
        with (folder / f"part-{number:05d}.tsv").open("w", newline="") as file:
            csv.writer(file, delimiter="\t").writerows([[f"{i}.jpg", f"p{person[i]}", "made"] for i in rows])
    return folder


@pytest.fixture(scope="session")
def crops_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crops(tmp_path_factory.mktemp("crops"))
