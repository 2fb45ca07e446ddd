"""Several models side by side: embedding size, training photographs, parameters and multiply-adds against accuracy.

    python -m models.evaluation.tradeoffs MODEL.onnx RUN/last.pt --lfw LFW_FOLDER --held-out CROPS --out t.json

The paper's tables 3, 5 and 6 and its figure 4, as far as models are at hand. A model is an ONNX file with a model
card or a checkpoint of `models.train`.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.faces.card import CardInput
from app.faces.crop import CropSpec
from app.faces.embed import FaceEmbedder
from models.data import UNLABELLED, Crops
from models.evaluation import multiply_adds
from models.evaluation.image_quality import FAR
from models.lfw import Crop, distances, embed_all, read_pairs
from models.metrics import fold_accuracy, val_at_far
from models.pairs import CI95_PERCENT, PairTable, bootstrap_val
from models.photographs import Embed, embed_crops, unmarked
from models.refusals import refusals


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network that can be run, and what is known of it. `training_photographs` is None where nobody wrote it down."""

    name: str
    embed: Embed
    expected: CardInput
    embedding_size: int
    parameters: int
    multiply_adds: int
    training_photographs: int | None


def opened(path: Path, folder: Path, threads: int) -> Model:
    """An ONNX file or a checkpoint, which is exported into `folder` first."""
    if path.suffix == ".pt":
        return _checkpoint(path, folder, threads)
    embedder = FaceEmbedder(path, threads=threads)
    card = embedder.card
    seen = card.provenance.get("crops")
    return Model(
        card.id,
        embedder.embed,
        card.input,
        card.embedding_size,
        card.parameters,
        multiply_adds.of(path),
        int(seen) if seen is not None else None,
    )


def _checkpoint(path: Path, folder: Path, threads: int) -> Model:
    from models.export import export_network, load_network

    network, trained = load_network(path)
    exported = folder / f"{path.parent.name}-{path.stem}.onnx"
    export_network(network, trained["input_px"], exported)
    expected = CardInput(crop_px=trained["input_px"], template=trained["template"])
    return Model(
        f"{path.parent.name}/{path.name}",
        unmarked(exported, expected, threads),
        expected,
        trained["embedding_size"],
        sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds.of(exported),
        _photographs(trained),
    )


def _photographs(trained: dict[str, Any]) -> int | None:
    """As the checkpoint has it; of one that does not say, what lies in its crops now."""
    crops = Path(trained["crops"])
    counted: int | None = trained["data"].get("photographs")
    return counted or (len(Crops(crops)) if any(crops.glob("part-?????.npy")) else None)


def described(model: Model) -> dict[str, Any]:
    """What is known of a model without running it."""
    return {
        "model": model.name,
        "embedding_size": model.embedding_size,
        "input_px": model.expected.crop_px,
        "parameters": model.parameters,
        "multiply_adds": model.multiply_adds,
        "training_photographs": model.training_photographs,
    }


def row(model: Model, lfw: Path, lfw_crops: dict[str, Crop], held_out: Crops | None) -> dict[str, Any]:
    """What a model costs and what it is worth: View 2 of LFW, and VAL at FAR 1e-3 on held-out people."""
    pairs = read_pairs(lfw / "pairs.txt")
    squared_l2 = distances(pairs, embed_all(lfw_crops, model.embed))
    folds = fold_accuracy(squared_l2, pairs.same, pairs.fold)
    result: dict[str, Any] = {
        **described(model),
        "ms_per_face": round(milliseconds(model), 2),
        "lfw_accuracy": round(folds.mean, 5),
        "lfw_accuracy_standard_error": round(folds.standard_error, 5),
        "lfw_val_at_far_0.001": round(val_at_far(squared_l2, pairs.same, FAR)[0], 5),
    }
    if held_out is not None:
        chosen = np.flatnonzero(held_out.people != UNLABELLED)
        table = PairTable(embed_crops(held_out, model.embed, model.expected.spec, chosen), held_out.people[chosen])
        threshold = table.threshold(FAR)
        low, high = np.percentile(bootstrap_val(table, [threshold]), CI95_PERCENT)
        result["held_out_val_at_far_0.001"] = round(table.val(threshold), 5)
        result["held_out_val_ci95"] = [round(float(low), 4), round(float(high), 4)]
    return result


def milliseconds(model: Model, batch_size: int = 1, repeats: int = 30) -> float:
    """Median time for one face in a batch of this size, in ms, on the threads that the model was opened with."""
    side = model.expected.crop_px
    images = np.random.default_rng(0).integers(0, 256, (batch_size, side, side, 3), dtype=np.uint8)
    times = []
    for _ in range(repeats + 3):
        started = time.perf_counter()
        model.embed(images)
        times.append(time.perf_counter() - started)
    return float(np.median(times[3:]) / batch_size * 1000)


@refusals()
def main() -> None:
    from models.lfw import WEIGHTS, FaceDetector, crop_all

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, help="crops of people whom no model was trained on")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = [opened(path, Path(folder), 1) for path in options.models]
        held_out = Crops(options.held_out) if options.held_out else None
        names = read_pairs(options.lfw / "pairs.txt").names
        crops: dict[CropSpec, dict[str, Crop]] = {}
        for model in models:
            spec = model.expected.spec
            if spec not in crops:
                crops[spec] = crop_all(options.lfw / "images", names, FaceDetector(WEIGHTS), spec)
            rows.append(row(model, options.lfw, crops[spec], held_out))
            print(json.dumps(rows[-1]))
    options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
