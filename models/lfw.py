"""Labeled Faces in the Wild: its pair lists, and its photographs through the service's own detector and crop.

    python -m models.lfw LFW_FOLDER --model models/weights/facenet-nn2-128.onnx [--out report.json]
    python -m models.lfw LFW_FOLDER --model models/weights/facenet-nn2-128.onnx --centre-crop

LFW_FOLDER holds images/NAME/NAME_0001.jpg, pairs.txt (View 2: ten folds, for reporting) and pairsDevTest.txt
(View 1, for choosing). A missing file is an error; a photograph in which no face is found is a failure to acquire:
it is counted, and its pairs stay in the protocol as rejected. `--centre-crop` takes the same square out of every
photograph instead, without a detector: LFW's photographs are already turned and scaled alike (deep funneling).
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.domain import Box, DetectedFace, FaceChoice
from app.errors import NoFace
from app.faces.choose import choose_face
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder
from models.data import Crops
from models.metrics import fold_accuracy, val_at_far
from models.photographs import check_geometry
from models.refusals import refusals

NO_FACE_DISTANCE = 4.0
WEIGHTS = Path(__file__).parent / "weights"

# Where the landmarks lie in LFW's 250 px photographs: the detector's mean over 300 of View 1's.
_LFW_PX = 250
_MEAN_LANDMARKS = ((105.3, 113.4), (147.6, 112.4), (126.3, 137.8), (108.3, 159.3), (145.7, 158.6))

Crop = NDArray[np.uint8]
Embedding = NDArray[np.float32]
Embed = Callable[[Crop], Embedding]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """`first` and `second` are photograph names (NAME_0001); `same` bool (n,); `fold` int64 (n,)."""

    first: list[str]
    second: list[str]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]

    @property
    def names(self) -> list[str]:
        return sorted({*self.first, *self.second})


def read_pairs(path: Path) -> Pairs:
    """View 1 (`500`) or View 2 (`10<TAB>300`) pair list: each fold has its same pairs, then its different ones."""
    header, *lines = path.read_text().splitlines()
    *folds, per_fold = (int(word) for word in header.split())
    rows = [line.split("\t") for line in lines if line.strip()]
    count = folds[0] if folds else 1
    if len(rows) != 2 * count * per_fold:
        raise ValueError(f"{path} promises {2 * count * per_fold} pairs and has {len(rows)}")
    names = [_names(row) for row in rows]
    same = np.array([len(row) == 3 for row in rows])
    return Pairs([a for a, _ in names], [b for _, b in names], same, np.arange(len(rows)) // (2 * per_fold))


def _names(row: list[str]) -> tuple[str, str]:
    if len(row) == 3:
        return f"{row[0]}_{int(row[1]):04d}", f"{row[0]}_{int(row[2]):04d}"
    return f"{row[0]}_{int(row[1]):04d}", f"{row[2]}_{int(row[3]):04d}"


def crop_all(images: Path, names: list[str], detector: FaceDetector, spec: CropSpec) -> dict[str, Crop]:
    """Name to crop, for every photograph in which a face is found; raises FileNotFoundError for a missing one."""
    crops = {}
    for name in tqdm(names, unit="photo", desc="detect"):
        photograph = decode((images / name[:-5] / f"{name}.jpg").read_bytes(), ImageLimits())
        try:
            face = choose_face(detector.detect(photograph), FaceChoice.CENTRAL, photograph)
        except NoFace:
            continue
        crops[name] = crop_face(photograph, face, spec)
    return crops


def centre_crops(images: Path, names: list[str], spec: CropSpec) -> dict[str, Crop]:
    """Name to the crop that fits the mean face of LFW; raises FileNotFoundError for a missing photograph."""
    crops = {}
    for name in tqdm(names, unit="photo", desc="crop"):
        photograph = decode((images / name[:-5] / f"{name}.jpg").read_bytes(), ImageLimits())
        landmarks = np.array(_MEAN_LANDMARKS, np.float32) * (photograph.width / _LFW_PX)
        everything = Box(0.0, 0.0, float(photograph.width), float(photograph.height))
        crops[name] = crop_face(photograph, DetectedFace(everything, 1.0, landmarks), spec)
    return crops


def prepared(crops: Crops, names: list[str], spec: CropSpec) -> dict[str, Crop]:
    """Name to the middle of the crop that `models.prepare` made, for those of the photographs that gave one.

    Raises ValueError where landmarks do not lie in the crops where the network wants them.
    """
    check_geometry(crops, spec)
    margin = (crops.stored_px - spec.crop_px) // 2
    inner = slice(margin, margin + spec.crop_px)
    number = {Path(file).stem: i for i, file in enumerate(crops.files)}
    return {name: crops[np.array([number[name]])][0, inner, inner] for name in names if name in number}


def embed_all(crops: dict[str, Crop], embed: Embed, batch_size: int = 64) -> dict[str, Embedding]:
    """Name to unit embedding."""
    names = list(crops)
    rows: list[Embedding] = []
    for start in range(0, len(names), batch_size):
        rows.extend(embed(np.stack([crops[name] for name in names[start : start + batch_size]])))
    return dict(zip(names, rows, strict=True))


def distances(pairs: Pairs, embeddings: dict[str, Embedding]) -> NDArray[np.float64]:
    """Squared L2 of every pair, float64 (n,); a pair with a photograph that gave no face is as far as can be."""
    result = np.full(len(pairs.first), NO_FACE_DISTANCE)
    for i, (a, b) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        if a in embeddings and b in embeddings:
            result[i] = np.square(embeddings[a].astype(np.float64) - embeddings[b]).sum()
    return result


def report(pairs: Pairs, squared_l2: NDArray[np.float64], acquired: int) -> dict[str, Any]:
    """The figures that are quoted: accuracy with its standard error, VAL at FAR 1e-2 and 1e-3, failures."""
    folds = fold_accuracy(squared_l2, pairs.same, pairs.fold)
    result: dict[str, Any] = {
        "pairs": len(pairs.same),
        "photographs": len(pairs.names),
        "failures_to_acquire": len(pairs.names) - acquired,
        "accuracy": round(folds.mean, 5),
        "accuracy_standard_error": round(folds.standard_error, 5),
        "threshold_mean": round(float(np.mean(folds.thresholds)), 4),
    }
    for far in (1e-2, 1e-3):
        if far * (~pairs.same).sum() >= 1:
            val, threshold = val_at_far(squared_l2, pairs.same, far)
            result[f"val_at_far_{far:g}"] = round(val, 5)
            result[f"threshold_at_far_{far:g}"] = round(threshold, 4)
    return result


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", default="pairs.txt")
    parser.add_argument("--centre-crop", action="store_true", help="the same square of every photograph, no detector")
    parser.add_argument("--out", type=Path, help="the report as JSON")
    parser.add_argument("--record", metavar="NAME", help="put the report into the model card's results, under NAME")
    parser.add_argument("--plot", type=Path, help="ROC and distances as a picture")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    pairs = read_pairs(options.lfw / options.pairs)
    embedder = FaceEmbedder(options.model, threads=options.threads)
    started = time.perf_counter()
    images, spec = options.lfw / "images", embedder.card.input.spec
    if options.centre_crop:
        crops = centre_crops(images, pairs.names, spec)
    else:
        crops = crop_all(images, pairs.names, FaceDetector(WEIGHTS), spec)
    squared_l2 = distances(pairs, embed_all(crops, embedder.embed))
    crop = "fixed centre crop, no detector" if options.centre_crop else "detector"
    result = {"list": options.pairs, "crop": crop, "model": embedder.card.id, **report(pairs, squared_l2, len(crops))}
    result["seconds"] = round(time.perf_counter() - started, 1)
    print(json.dumps(result, indent=2))
    if options.record:
        from models.export import write_card

        card = embedder.card
        write_card(options.model, card.model_copy(update={"results": card.results | {options.record: result}}))
    if options.plot:
        from models.plot import pairs as plot_pairs

        plot_pairs(squared_l2, pairs.same, f"LFW {options.pairs}", options.plot)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
