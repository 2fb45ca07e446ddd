"""Photographs to crops, with the service's own decoder, detector and crop.

    python -m models.prepare manifest.tsv --out crops/ [--processes 2] [--crop-px 112] [--margin-px 8]

Writes parts of 1,000 photographs: `part-00000.npy` holds uint8 (n, side, side, 3) and `part-00000.tsv` one row a
crop. A part that exists is not made again, so an interrupted run goes on where it stopped. Photographs without
a face, or that cannot be read, are counted in `failures.tsv`; `crop.json` says where landmarks lie in a crop.
"""

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.domain import FaceChoice
from app.errors import SamefaceError
from app.faces.choose import choose_face
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, Pixels, decode
from app.faces.detect import DetectorOptions, FaceDetector
from models.data import UNFINISHED
from models.manifest import Photo, read
from models.refusals import refusals
from models.rows import read_rows, write_rows
from models.whole import written_whole

PART_SIZE = 1000
WEIGHTS = Path(__file__).parent / "weights"
UNREADABLE = "unreadable_file"  # beside the codes of app.errors


@dataclass(frozen=True, slots=True)
class Recipe:
    """What every worker needs to know."""

    out: Path
    spec: CropSpec
    weights: Path = WEIGHTS
    face: FaceChoice = FaceChoice.CENTRAL
    change: "Change | None" = None  # what is done to a photograph first: measures what damage costs


# A photograph's bytes to those of a changed one.
Change = Callable[[bytes, FaceDetector], bytes]


def crop_photo(photo: Photo, detector: FaceDetector, recipe: Recipe) -> Pixels:
    """The crop of the face that the recipe chooses; raises SamefaceError where there is none."""
    data = photo.path.read_bytes()
    photograph = decode(recipe.change(data, detector) if recipe.change else data, ImageLimits())
    face = choose_face(detector.detect(photograph), recipe.face, photograph)
    return crop_face(photograph, face, recipe.spec)


def make_part(job: tuple[int, Sequence[Photo]], recipe: Recipe) -> int:
    """Crop one part and write its files, the array last: its presence means that the part is whole."""
    number, photos = job
    detector = FaceDetector(recipe.weights, DetectorOptions(min_face_px=40.0))
    crops, rows, failures = [], [], []
    for photo in photos:
        try:
            crops.append(crop_photo(photo, detector, recipe))
            rows.append(photo)
        except SamefaceError as error:
            failures.append((photo, error.code))
        except OSError:
            failures.append((photo, UNREADABLE))
    side = recipe.spec.crop_px
    write_rows(part_path(recipe.out, number, "tsv"), [(p.path, p.identity, p.source) for p in rows])
    write_rows(part_path(recipe.out, number, "failed"), [(p.path, p.source, code) for p, code in failures])
    array = np.stack(crops) if crops else np.zeros((0, side, side, 3), np.uint8)
    with written_whole(part_path(recipe.out, number, "npy")) as unfinished:
        np.save(unfinished, array)
    return len(photos)


def part_path(folder: Path, number: int, suffix: str) -> Path:
    return folder / f"part-{number:05d}.{suffix}"


def prepare(photos: Sequence[Photo], recipe: Recipe, processes: int, part_size: int | None = None) -> tuple[int, int]:
    """Make every part that is missing; returns (crops, failures).

    Raises ValueError where the folder's crops are of another geometry, or of other photographs.
    """
    recipe.out.mkdir(parents=True, exist_ok=True)
    _keep_geometry(recipe)
    size = part_size or PART_SIZE
    _keep_photographs(recipe, photos, size)
    parts = [(i // size, photos[i : i + size]) for i in range(0, len(photos), size)]
    missing = [part for part in parts if not part_path(recipe.out, part[0], "npy").exists()]
    done = len(photos) - sum(len(part) for _, part in missing)
    (recipe.out / UNFINISHED).touch()
    with get_context("spawn").Pool(processes) as pool, tqdm(total=len(photos), initial=done, unit="photo") as bar:
        for count in pool.imap_unordered(partial(make_part, recipe=recipe), missing):
            bar.update(count)
    failures = [row for path in sorted(recipe.out.glob("part-*.failed")) for row in read_rows(path)]
    write_rows(recipe.out / "failures.tsv", failures)
    (recipe.out / UNFINISHED).unlink()
    return len(photos) - len(failures), len(failures)


def _keep_geometry(recipe: Recipe) -> None:
    """Write crop.json; raises ValueError where the folder's crops are of another size or template."""
    path, text = recipe.out / "crop.json", json.dumps(asdict(recipe.spec))
    made = sorted(recipe.out.glob("part-?????.npy"))
    stored_px = np.load(made[0], mmap_mode="r").shape[1] if made else recipe.spec.crop_px
    if (path.exists() and path.read_text() != text) or stored_px != recipe.spec.crop_px:
        raise ValueError(f"{recipe.out} holds crops of another geometry than {text}; choose another folder")
    path.write_text(text)


def _keep_photographs(recipe: Recipe, photos: Sequence[Photo], part_size: int) -> None:
    """Remember which photographs these are; raises ValueError where there are crops of others."""
    rows = ((str(photo.path.absolute()), photo.identity, photo.source) for photo in photos)
    digest = hashlib.sha256(repr([recipe.face, part_size, *rows]).encode()).hexdigest()
    path = recipe.out / "photographs.sha256"
    if path.exists() and path.read_text() == digest:
        return
    if path.exists() and any(recipe.out.glob("part-?????.npy")):
        raise ValueError(f"{recipe.out} holds crops of other photographs than these; choose another folder")
    with written_whole(path) as unfinished:
        unfinished.write_text(digest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--crop-px", type=int, default=CropSpec().crop_px, help="input side of the network")
    parser.add_argument("--margin-px", type=int, default=8, help="surroundings kept for shifts in training")
    options = parser.parse_args()
    spec = CropSpec().scaled(options.crop_px).widened(options.margin_px)
    with refusals():
        crops, failures = prepare(read(options.manifest), Recipe(options.out, spec), options.processes)
    print(f"{crops} crops of {spec.crop_px} px in {options.out}; {failures} photographs gave none")


if __name__ == "__main__":
    main()
