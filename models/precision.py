"""Smaller forms of an exported network: weights in half precision, or whole numbers of eight bits.

    python -m models.precision models/weights/NAME.onnx --precision fp16 int8 --calibration-crops crops-held-out/ \
        --calibration-data "who that is" --out-folder runs/small [--lfw LFW_FOLDER]

Each file is written beside its measured cost: the distance between its embeddings and the full network's, its size,
its time for a face, and the accuracy lost on LFW. The thresholds in its model card are calibrated on its own
embeddings. Embeddings of different forms are not to be mixed in one gallery, so the id of each ends in its form.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from app.faces.card import CardInput, ModelCard
from app.faces.crop import CropSpec
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder, network_input
from models.calibrate import MAX_PHOTOGRAPHS, at_most, calibrate, with_calibration
from models.data import UNLABELLED, Crops
from models.evaluation.tradeoffs import milliseconds, opened
from models.lfw import WEIGHTS, Crop, Pairs, crop_all, distances, embed_all, prepared, read_pairs, report
from models.pairs import PairTable
from models.photographs import embed_crops, unmarked
from models.refusals import refusals
from models.whole import written_whole

PRECISIONS = ["fp16", "int8"]
# Crops that show the ranges of activations.
_CALIBRATION_CROPS = 512
# Weights of fewer numbers than this (norms, biases, axes) stay as they are.
_FEW = 256


def halve(source: Path, target: Path) -> None:
    """Store large weights in half precision; arithmetic stays in single, so any runtime gives the same answer."""
    model = onnx.load(source)
    kept, casts = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _FEW:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}_fp16"
        kept.append(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def quantise(source: Path, target: Path, crops: Crops, expected: CardInput, count: int = _CALIBRATION_CROPS) -> None:
    """Eight-bit convolutions, each channel with its own scale; ranges of activations from `count` crops, evenly spaced.

    Everything after the last convolution stays in single precision: an embedding is 128 small numbers.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Reader(crops, expected, count, onnx.load(source).graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            # What stands between convolutions stays in whole numbers too, or it would be converted twice. A ReLU then
            # needs no step of its own, and all 256 numbers of the convolution before it are for what the ReLU leaves.
            op_types_to_quantize=["Conv", "Relu", "MaxPool", "Split", "Concat"],
            per_channel=True,
            # Seven bits of a weight are used: with eight, sums of products overflow on processors without VNNI.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Crops, some at a time, as the quantiser wants them."""

    def __init__(self, crops: Crops, expected: CardInput, count: int, name: str) -> None:
        self._name = name
        self._batches = _inputs(crops, expected, count)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def _inputs(crops: Crops, expected: CardInput, count: int, batch_size: int = 16) -> Iterator[NDArray[np.float32]]:
    chosen = crops.spread(count)
    margin = (crops[chosen[:1]].shape[1] - expected.crop_px) // 2
    for start in range(0, len(chosen), batch_size):
        images = crops[chosen[start : start + batch_size]]
        inner = images[:, margin : margin + expected.crop_px, margin : margin + expected.crop_px]
        yield network_input(np.ascontiguousarray(inner), expected)


def parity(full: NDArray[np.float32], small: NDArray[np.float32]) -> dict[str, float]:
    """Squared L2 between the embeddings of the same crops by both networks: its mean and its largest."""
    squared_l2 = np.square(full.astype(np.float64) - small).sum(1)
    return {"mean_squared_l2": float(f"{squared_l2.mean():.3g}"), "max_squared_l2": float(f"{squared_l2.max():.3g}")}


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Whom thresholds are measured on: crops, what they are, and the default rate; None: that of the full network."""

    crops: Crops
    data: str
    default_far: float | None = None


def make(source: Path, precision: str, target: Path, held_out: HeldOut, lfw: "Lfw | None" = None) -> dict[str, Any]:
    """Write one form with its card; returns what was measured of it, which its card holds too.

    Raises ValueError where the people do not support the default false-accept rate; `target` is then as it was.
    """
    with written_whole(target) as unfinished:
        return _make(source, precision, unfinished, held_out, lfw)


def _make(source: Path, precision: str, target: Path, held_out: HeldOut, lfw: "Lfw | None") -> dict[str, Any]:
    from models.export import write_card

    crops = held_out.crops
    embedder = FaceEmbedder(source)
    card = embedder.card
    if precision == "fp16":
        halve(source, target)
    else:
        quantise(source, target, crops, card.input)
    labelled = at_most(MAX_PHOTOGRAPHS, np.flatnonzero(crops.people != UNLABELLED))
    full = embed_crops(crops, embedder.embed, card.input.spec, labelled)
    small = embed_crops(crops, unmarked(target, card.input), card.input.spec, labelled)
    found = calibrate(PairTable(small, crops.people[labelled]), held_out.data)
    measured: dict[str, Any] = {"of": card.id, "precision": precision, "parity": parity(full, small)}
    renamed = card.model_copy(update={"id": f"{card.id}-{precision}", "results": {}})
    marked = with_calibration(renamed, found, held_out.default_far)
    write_card(target, marked)
    measured |= cost(source, target)
    if lfw is not None:
        measured["lfw"] = accuracy_lost(source, target, lfw)
    write_card(target, _with_results(marked, measured))
    return measured


def cost(source: Path, target: Path) -> dict[str, Any]:
    """Bytes and milliseconds for a face on one thread, of the full network and of the small one."""
    with tempfile.TemporaryDirectory() as folder:
        full, small = (opened(path, Path(folder), 1) for path in (source, target))
        return {
            "bytes": {"full": source.stat().st_size, "small": target.stat().st_size},
            "ms_per_face": {"full": round(milliseconds(full), 2), "small": round(milliseconds(small), 2)},
            "ms_per_face_in_batches_of_8": {
                "full": round(milliseconds(full, 8), 2),
                "small": round(milliseconds(small, 8), 2),
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class Lfw:
    """View 2 of LFW and the crops of its photographs."""

    pairs: Pairs
    crops: dict[str, Crop]

    @classmethod
    def of(cls, folder: Path, spec: CropSpec, made: Path | None = None) -> Self:
        """Crops through the detector, or those of `models.prepare` in `made`."""
        pairs = read_pairs(folder / "pairs.txt")
        if made is not None:
            return cls(pairs, prepared(Crops(made), pairs.names, spec))
        return cls(pairs, crop_all(folder / "images", pairs.names, FaceDetector(WEIGHTS), spec))


def accuracy_lost(source: Path, target: Path, lfw: Lfw) -> dict[str, Any]:
    """View 2 of LFW with both, on the same crops."""
    figures = {
        name: report(lfw.pairs, distances(lfw.pairs, embed_all(lfw.crops, FaceEmbedder(path).embed)), len(lfw.crops))
        for name, path in (("full", source), ("small", target))
    }
    lost = round(figures["full"]["accuracy"] - figures["small"]["accuracy"], 5)
    return figures | {"accuracy_lost": lost}


def _with_results(card: ModelCard, measured: dict[str, Any]) -> ModelCard:
    own = {"lfw_view2": measured["lfw"]["small"]} if "lfw" in measured else {}
    return card.model_copy(update={"results": card.results | own | {"precision": measured}})


def main() -> None:
    options = _parse()
    with refusals(options.calibration_crops):
        rows = _made(options)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


def _made(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What was measured of each form, which is written and printed one after another."""
    options.out_folder.mkdir(parents=True, exist_ok=True)
    held_out = HeldOut(Crops(options.calibration_crops), options.calibration_data, options.default_far)
    spec = FaceEmbedder(options.model).card.input.spec
    lfw = Lfw.of(options.lfw, spec, options.lfw_crops) if options.lfw else None
    rows = []
    for precision in options.precision:
        target = options.out_folder / f"{options.model.stem}-{precision}.onnx"
        rows.append(make(options.model, precision, target, held_out, lfw))
        print(target, json.dumps(rows[-1], indent=2), sep="\n")
    return rows


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--calibration-crops", type=Path, required=True, help="of people held out of training")
    parser.add_argument("--calibration-data", required=True, help="what those photographs are, for the model card")
    parser.add_argument("--default-far", type=float, help="the default operating point; else that of the full network")
    parser.add_argument("--out-folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="what was measured of all forms, as JSON")
    parser.add_argument("--lfw", type=Path, help="measure the accuracy lost on View 2")
    parser.add_argument("--lfw-crops", type=Path, help="crops of LFW by models.prepare, if there are any")
    return parser.parse_args()


if __name__ == "__main__":
    main()
