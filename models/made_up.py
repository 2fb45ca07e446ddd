"""Faces of people who do not exist, made once and kept beside the crops that they are made of.

    python -m models.made_up crops/ --out crops-and-made-up/ --count 120000

`models.train --morphs` makes such faces while it trains, and asks the teacher for each. Where that costs too much, as
on two cores, they are made here instead and seen a few times each. OUT holds links to the crops and, in further parts,
blends of two random ones, warped (`models.morph`): a folder like any other for `models.teacher` and `models.train`. A
whole part is not made again, so an interrupted run goes on where it stopped, and a larger COUNT adds to a smaller one.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from models.data import MADE_UP, Crops, parts_of, seed_at
from models.morph import morphed
from models.prepare import PART_SIZE, part_path
from models.refusals import refusals
from models.rows import write_rows
from models.whole import written_whole

AT_ONCE = 50  # crops whose float32 planes stay small


def add_made_up(crops: Path, out: Path, count: int, seed: int = 0) -> None:
    """Links to all of `crops` in `out`, and `count` made-up faces after them, in parts of 1,000.

    Raises ValueError where there are no crops, or `out` is their folder.
    """
    linked = link(crops, out)
    known = Crops(crops)
    for start in tqdm(range(0, count, PART_SIZE), unit="part"):
        number, size = linked + start // PART_SIZE, min(PART_SIZE, count - start)
        path = part_path(out, number, "npy")
        if not path.exists() or len(np.load(path, mmap_mode="r")) != size:
            make_part(known, out, number, size, seed)


def link(crops: Path, out: Path) -> int:
    """Links to the files of one folder of crops in another; returns how many parts there are."""
    parts = parts_of(crops)
    if out.exists() and out.samefile(crops):
        raise ValueError(f"{out} holds the crops themselves; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    whole = [crops / name for name in ("crop.json", "failures.tsv") if (crops / name).exists()]
    for path in [*parts, *(part.with_suffix(".tsv") for part in parts), *whole]:
        here = out / path.name
        here.unlink(missing_ok=True)
        here.symlink_to(path.resolve())
    return len(parts)


def make_part(crops: Crops, out: Path, number: int, count: int, seed: int) -> None:
    """One part of made-up faces, the array last: where it is there, the part is whole."""
    generator = torch.Generator().manual_seed(seed_at(seed, number))
    first, second = (torch.randint(len(crops), (count,), generator=generator).numpy() for _ in range(2))
    faces = [
        morphed(crops.pixels(first[i : i + AT_ONCE]), crops.pixels(second[i : i + AT_ONCE]), generator)
        for i in range(0, count, AT_ONCE)
    ]
    pairs = zip(first, second, strict=True)
    write_rows(part_path(out, number, "tsv"), [(f"{crops.files[a]}+{crops.files[b]}", "", MADE_UP) for a, b in pairs])
    with written_whole(part_path(out, number, "npy")) as unfinished:
        np.save(unfinished, torch.cat(faces).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, help="a folder of models.prepare")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True, help="made-up faces")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with refusals():
        add_made_up(options.crops, options.out, options.count, options.seed)
    print(f"{options.count} made-up faces beside the crops of {options.crops} in {options.out}")


if __name__ == "__main__":
    main()
