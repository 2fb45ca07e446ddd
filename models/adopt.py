"""A face network that somebody else trained, as a file that the service takes.

    python -m models.adopt THEIRS.onnx --out models/weights/NAME.onnx --id NAME --people photos/ --data "our visitors" \
        --source "https://..." --terms "MIT" [--colour BGR] [--mean 127.5 --std 128] [--mirrored]

THEIRS.onnx takes a picture of a face and gives a vector. The file that is written takes any number of faces, gives
unit vectors, and has a model card: how it is fed, whose it is, and thresholds measured on its own embeddings of
people, through the service's own decoder, detector and crop. PHOTOS is what `models.calibrate` takes. How pictures
are to be fed is for its authors to say: `--colour`, and a channel's value as (byte - mean) / std. Crops are levelled
by five landmarks as SphereFace and ArcFace have them; `--margin-px` shows more of the surroundings, in pixels of a crop
of 112, to networks that saw wider crops.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from app.faces.card import CardCalibration, CardInput, ModelCard
from app.faces.crop import CropSpec
from models.calibrate import MAX_PHOTOGRAPHS, at_most, calibrate, print_points, with_calibration
from models.data import UNLABELLED
from models.evaluation import multiply_adds
from models.export import MIRRORED, write_card
from models.pairs import PairTable
from models.photographs import acquire, embed_crops, recipe, unmarked
from models.refusals import refusals
from models.whole import written_whole
from models.wrap import check, port, vectors, wrapped


def adopt(options: argparse.Namespace) -> ModelCard:
    """Write the file with its card, which is returned; raises ValueError for what cannot be served."""
    model = onnx.load(options.network)
    expected = _expected(options, port(model).side or options.crop_px)
    side, mirrored = expected.crop_px, options.mirrored
    made = wrapped(model, side, options.output, mirrored=mirrored)
    difference = check(model, made, vectors(model, options.output), side, mirrored=mirrored)
    with tempfile.TemporaryDirectory() as temporary:
        unfinished = Path(temporary) / "network.onnx"
        onnx.save(made, unfinished)
        results = {
            "parity_with_their_file": float(f"{difference:.2g}"),
            "multiply_adds": multiply_adds.of(unfinished),
        }
        parameters = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
        card = _card(options, expected, unfinished, parameters, results)
        write_card(unfinished, card)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(options.out) as copy:  # the folder may be of another disk
            shutil.copyfile(unfinished, copy)
    return card


def _expected(options: argparse.Namespace, side: int) -> CardInput:
    """How the network is to be fed."""
    spec = CropSpec().widened(options.margin_px).scaled(side)
    return CardInput(crop_px=side, colour=options.colour, mean=options.mean, std=options.std, template=spec.template)


def _card(
    options: argparse.Namespace, expected: CardInput, network: Path, parameters: int, results: dict[str, Any]
) -> ModelCard:
    """What is said of the network, with thresholds measured on `--people`; crops lie beside it unless kept."""
    made = recipe(options.work or network.parent, expected.spec)
    acquired = acquire(options.people, made, processes=options.processes)
    named = at_most(options.max_photographs, np.flatnonzero(acquired.crops.people != UNLABELLED))
    embeddings = embed_crops(acquired.crops, unmarked(network, expected, options.threads), expected.spec, named)
    found = calibrate(PairTable(embeddings, acquired.crops.people[named]), options.data)
    card = ModelCard(
        id=options.id,
        architecture=(options.architecture or options.network.stem) + (MIRRORED if options.mirrored else ""),
        embedding_size=embeddings.shape[1],
        parameters=parameters,
        input=expected,
        default_far=options.default_far,
        calibration=CardCalibration.model_validate(found.calibration),
        provenance={"adopted_from": options.network.name, "source": options.source, "terms": options.terms},
        results=results,
    )
    facts = {"photographs": acquired.photographs, "failures_to_acquire": acquired.failures}
    return with_calibration(card, found, None, **facts)


def main() -> None:
    options = _parse()
    with refusals(options.network):
        card = adopt(options)
    print(f"{options.out}: {card.embedding_size} coordinates, crops of {card.input.crop_px} px")
    print_points(card.calibration)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, metavar="THEIRS.onnx")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--id", required=True, help="what answers and galleries call it")
    parser.add_argument("--people", type=Path, required=True, metavar="PHOTOS", help="whom it was not trained on")
    parser.add_argument("--data", required=True, help="what those photographs are, for the model card")
    parser.add_argument("--source", required=True, help="where the network is from, for the model card")
    parser.add_argument("--terms", required=True, help="on what terms, for the model card")
    parser.add_argument("--architecture", help="what it is; otherwise the file's name")
    parser.add_argument("--output", metavar="NAME", help="its output with the embedding, where it has several")
    parser.add_argument("--colour", choices=["RGB", "BGR"], default="RGB")
    parser.add_argument("--mean", type=float, default=127.5)
    parser.add_argument("--std", type=float, default=127.5)
    parser.add_argument("--crop-px", type=int, default=112, help="where it takes pictures of any size")
    parser.add_argument("--margin-px", type=int, default=0, help="around a crop of 112 px, all scaled to its side")
    parser.add_argument("--mirrored", action="store_true", help="average with the mirror image, for twice the time")
    parser.add_argument("--default-far", type=float, default=1e-3)
    parser.add_argument("--work", type=Path, help="keep crops here, so that an interrupted run goes on")
    parser.add_argument("--max-photographs", type=int, default=MAX_PHOTOGRAPHS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


if __name__ == "__main__":
    main()
