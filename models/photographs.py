"""Photographs in whatever form they come, as crops: through the service's own decoder, detector and crop.

A source is a folder of crops that `models.prepare` wrote, a manifest (`.tsv`, see `models.manifest`), or a folder of
photographs: one folder per person inside it, or, where nobody is named, photographs anywhere below it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tqdm import tqdm

from app.domain import FaceChoice
from app.faces.card import CardInput
from app.faces.crop import CropSpec
from app.faces.embed import network_input
from models import manifest
from models.data import Crops
from models.manifest import Photo
from models.prepare import Change, Recipe, prepare
from models.rows import read_rows

# Parts small enough for a progress bar that moves.
_PART_SIZE = 50

# uint8 (n, side, side, 3) to unit vectors, float32 (n, d): what `FaceEmbedder.embed` does.
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """Crops, and how many photographs gave none, by the error's code."""

    crops: Crops
    failures: dict[str, int]

    @property
    def photographs(self) -> int:
        return len(self.crops) + sum(self.failures.values())


def listed(source: Path, *, labelled: bool) -> list[Photo]:
    """The photographs of a manifest or a folder; raises ValueError where nobody is named but somebody must be."""
    if source.suffix == ".tsv":
        return manifest.read(source)
    if not labelled:
        return list(manifest.unlabelled(source, source.name))
    return list(manifest.folder_per_person(source, source.name))


def acquire(source: Path, recipe: Recipe, *, labelled: bool = True, processes: int = 1) -> Acquired:
    """Crops of a source, made in `recipe.out` unless the source has them; raises ValueError where it is empty."""
    if any(source.glob("part-?????.npy")):
        return Acquired(Crops(source), _failures(source))
    photos = listed(source, labelled=labelled)
    if not photos:
        raise ValueError(f"no photographs in {source}")
    prepare(photos, recipe, processes, _PART_SIZE)
    return Acquired(Crops(recipe.out), _failures(recipe.out))


def recipe(out: Path, spec: CropSpec, face: FaceChoice = FaceChoice.LARGEST, change: Change | None = None) -> Recipe:
    """Crops as the service makes them: the largest face, unless told otherwise, and nothing around it."""
    return Recipe(out, spec, face=face, change=change)


def geometry_name(spec: CropSpec) -> str:
    """What files are named by that hold crops of one size and template."""
    shape = hashlib.sha256(repr((spec.crop_px, spec.template)).encode()).hexdigest()[:8]
    return f"{spec.crop_px}px-{shape}"


def embed_crops(
    crops: Crops, embed: Embed, spec: CropSpec, chosen: NDArray[np.int64] | None = None, batch_size: int = 64
) -> NDArray[np.float32]:
    """Embeddings of the middle of all crops, or of those chosen, float32 (n, d).

    Raises ValueError where landmarks do not lie in the crops where the network wants them.
    """
    wanted = np.arange(len(crops)) if chosen is None else chosen
    if not len(wanted):
        raise ValueError("there is no crop to embed")
    check_geometry(crops, spec)
    side = spec.crop_px
    margin = (crops.stored_px - side) // 2
    rows = []
    for start in tqdm(range(0, len(wanted), batch_size), desc="embed", unit="batch"):
        images = crops[wanted[start : start + batch_size]]
        inner = images[:, margin : margin + side, margin : margin + side]
        rows.append(embed(np.ascontiguousarray(inner)))
    return np.concatenate(rows)


def check_geometry(crops: Crops, spec: CropSpec) -> None:
    """Raise ValueError where landmarks do not lie in the middle of the crops where the network wants them."""
    side = spec.crop_px
    if crops.stored_px < side or not np.allclose(crops.spec(side).template, spec.template, atol=1e-3):
        raise ValueError(f"crops of {crops.stored_px} px have another geometry than the network's {side} px")


def unmarked(path: Path, expected: CardInput, threads: int = 1) -> Embed:
    """An ONNX file that has no model card yet, fed as `expected` says."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options)
    name = session.get_inputs()[0].name

    def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        embeddings: NDArray[np.float32] = session.run(None, {name: network_input(images, expected)})[0]
        return embeddings

    return embed


def _failures(folder: Path) -> dict[str, int]:
    path = folder / "failures.tsv"
    return dict(Counter(row[2] for row in read_rows(path))) if path.exists() else {}
