"""A trained network to one self-describing ONNX file.

    python -m models.export runs/first/last.pt --calibration-crops crops-held-out/ --out models/weights/NAME.onnx

Exports, checks that ONNX Runtime gives the same embeddings as PyTorch, calibrates on held-out people and writes the
model card into the file's metadata. `models.precision` makes smaller forms of the file.
"""

import argparse
import json
import shutil
import subprocess
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from app.faces.card import METADATA_KEY, CardCalibration, CardInput, ModelCard
from app.faces.crop import CropSpec
from models.calibrate import MAX_PHOTOGRAPHS, at_most, calibrate, print_points, with_calibration
from models.data import UNLABELLED, Crops
from models.evaluation import multiply_adds
from models.networks import build
from models.networks.mirrored import Magnified, Mirrored
from models.pairs import PairTable
from models.photographs import embed_crops, unmarked
from models.provenance import counted, left_out
from models.refusals import refusals
from models.whole import written_whole

MIRRORED = ", averaged with the mirror image"  # what the card says of such a network
# Largest difference of any embedding coordinate between PyTorch and ONNX Runtime, both float32.
PARITY = 1e-4


def load_network(checkpoint: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint, ready for inference, and the options it was trained with, `input_px` besides.

    Where training magnified smaller crops, so does the network: it takes crops of `input_px`.
    """
    state = torch.load(checkpoint, weights_only=True)
    options = state["options"]
    network = build(options["network"], options["embedding_size"], options["side"])
    network.load_state_dict(state["network"])
    side = options["side"]
    input_px = min(options.get("crop_px") or side, side)
    if input_px < side:
        network = Magnified(network, side)
    crop = CropSpec().widened((side - CropSpec().crop_px) // 2)  # of runs that did not record it
    known = {"step": state["step"], "template": state.get("template", crop.template), "data": state.get("data", {})}
    return network.eval(), options | known | {"input_px": input_px}


def export_network(network: nn.Module, side: int, path: Path) -> None:
    """Write float32 (n, 3, side, side) -> float32 (n, d) with any n, batch norms folded."""
    with warnings.catch_warnings():
        # The older exporter folds batch norms and names what it writes plainly; torch warns that it is older and that
        # shapes which Python looks at become constants, as they should.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, side, side),),
            str(path),
            input_names=["faces"],
            output_names=["embeddings"],
            dynamic_axes={"faces": {0: "n"}, "embeddings": {0: "n"}},
            dynamo=False,
            opset_version=17,
        )


def parity(network: nn.Module, path: Path, side: int, count: int = 8) -> float:
    """Largest coordinate difference between PyTorch and ONNX Runtime on random faces."""
    images = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        expected = network(images).numpy()
    (found,) = ort.InferenceSession(path).run(None, {"faces": images.numpy()})
    return float(np.abs(found - expected).max())


def write_card(path: Path, card: ModelCard) -> None:
    """Put the card into the file's metadata, beside whatever else is there."""
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != METADATA_KEY}
    text = card.model_dump_json(exclude={"sha256"})
    onnx.helper.set_model_props(model, kept | {METADATA_KEY: text})
    with written_whole(path) as unfinished:
        onnx.save(model, unfinished)


def code_commit() -> str:
    """The commit of this checkout, or "unknown" outside one."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed arguments)
    return found.stdout.strip() or "unknown"


def provenance(options: argparse.Namespace) -> dict[str, Any]:
    """What a person wrote down, what was counted, and which code it was."""
    result: dict[str, Any] = json.loads(options.provenance.read_text())
    if options.training_crops:
        result |= counted(options.training_crops)
    if options.exclude:
        result["left_out"] = left_out(options.exclude)
    return result | {"commit": code_commit(), "exported": datetime.now(UTC).isoformat(timespec="seconds")}


def main() -> None:
    options = _parse()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with refusals(options.checkpoint), written_whole(options.out) as unfinished:
        card = export(options, unfinished)
    print(f"{options.out}: parity {card.results['parity_with_pytorch']:g}, {options.out.stat().st_size} bytes")
    print_points(card.calibration)


def export(options: argparse.Namespace, out: Path) -> ModelCard:
    """Write the file with its card, which is returned; raises ValueError for what cannot be served."""
    network, trained = load_network(options.checkpoint)
    expected = CardInput(crop_px=trained["input_px"], template=trained["template"])
    if options.mirrored:
        network = Mirrored(network).eval()
    export_network(network, trained["input_px"], out)
    difference = parity(network, out, trained["input_px"])
    if not difference <= PARITY:  # nor where it is no number
        raise ValueError(f"ONNX Runtime differs from PyTorch by {difference:.2g}; {PARITY:g} is allowed")
    crops = Crops(options.calibration_crops)
    named = at_most(MAX_PHOTOGRAPHS, np.flatnonzero(crops.people != UNLABELLED))
    table = PairTable(embed_crops(crops, unmarked(out, expected), expected.spec, named), crops.people[named])
    found = calibrate(table, options.calibration_data)
    card = ModelCard(
        id=options.id,
        architecture=f"{trained['network']} at {trained['side']} px, {trained['embedding_size']}-D"
        + (f", crops of {trained['input_px']} px magnified" if trained["input_px"] < trained["side"] else "")
        + (MIRRORED if options.mirrored else ""),
        embedding_size=trained["embedding_size"],
        parameters=sum(p.numel() for p in network.parameters()),
        input=expected,
        default_far=options.default_far,
        calibration=CardCalibration.model_validate(found.calibration),
        provenance=provenance(options)
        | {"trained_on": trained["data"] | {"people_share": trained.get("people_share", 1.0)}},
        results={path.stem: json.loads(path.read_text()) for path in options.results}
        | {"parity_with_pytorch": float(f"{difference:.2g}"), "multiply_adds": multiply_adds.of(out)},
    )
    card = with_calibration(card, found, None)
    write_card(out, card)
    return card


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--calibration-crops", type=Path, required=True)
    parser.add_argument("--calibration-data", required=True, help="what those photographs are")
    parser.add_argument("--provenance", type=Path, required=True, help="JSON: data, terms, overlap, training")
    parser.add_argument("--training-crops", type=Path, help="count photographs and people by set")
    parser.add_argument("--exclude", type=Path, help="the list of exclusions given to models.manifest, to count it")
    parser.add_argument("--results", type=Path, nargs="*", default=[], help="JSON reports to put into the card")
    parser.add_argument("--mirrored", action="store_true", help="average with the mirror image, for twice the time")
    parser.add_argument("--id", required=True)
    parser.add_argument("--default-far", type=float, default=1e-3)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
