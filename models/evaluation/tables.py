"""The paper's tables 5 and 6 and its figure 4, each network trained for it: size of embedding, data and network.

    python -m models.evaluation.tables crops/ --teacher crops/teacher.npy --start-from runs/first/last.pt \
        --lfw LFW_FOLDER --work runs/tables --out docs/evaluation

Trains each run of `plan.PLAN` (two minutes on two cores, most of them), measures it on Labeled Faces in the Wild
through the service's own detector and crop, and puts tables and pictures into the report that lies in `--out`. A run
that is finished is not made again, one that was interrupted goes on; one whose plan changed begins anew. `--only`
chooses runs; `--finished` writes what there is and trains nothing. `--start-from` is the trunk of the heads of table 5.
"""

import argparse
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from app.faces.crop import CropSpec
from models.data import Crops
from models.evaluation.image_quality import FAR
from models.evaluation.lfw_crops import lfw_crops
from models.evaluation.plan import PLAN, PlannedRun, words
from models.evaluation.tradeoffs import Model, described, opened
from models.lfw import Crop, distances, embed_all, read_pairs
from models.metrics import fold_accuracy, val_at_far
from models.options import Options, parse
from models.pairs import CI95_PERCENT, PairTable, bootstrap_val
from models.refusals import refusals
from models.train import train

Row = dict[str, Any]


def trained(run: PlannedRun, said: list[str], work: Path) -> Options:
    """Train a run, or what is left of it; returns its options.

    What was begun by another plan, or never came to a checkpoint, begins anew. Raises ValueError as `train` does.
    """
    options = parse("", said)
    plan, checkpoint = work / run.name / "plan.json", work / run.name / "last.pt"
    if plan.exists() and (not checkpoint.exists() or json.loads(plan.read_text()) != said):
        shutil.rmtree(work / run.name)
    if not checkpoint.exists():
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(json.dumps(said))
        train(options)
    elif torch.load(checkpoint, weights_only=True)["step"] < run.steps:
        train(parse("", [*said, "--resume"]))
    return options


def measured(run: PlannedRun, model: Model, folder: Path, lfw: Path, crops: dict[str, Crop]) -> Row:
    """Accuracy on both views of LFW, VAL at FAR 1e-3 on View 2's pairs and on all pairs of its photographs.

    View 2 has 3,000 pairs of different people, so that three of them decide on its VAL; all pairs have millions.
    """
    embeddings = embed_all(crops, model.embed)
    view1, view2 = (read_pairs(lfw / name) for name in ("pairsDevTest.txt", "pairs.txt"))
    chosen, reported = (distances(pairs, embeddings) for pairs in (view1, view2))
    folds = fold_accuracy(reported, view2.same, view2.fold)
    _, people = np.unique([name[:-5] for name in embeddings], return_inverse=True)
    table = PairTable(np.stack(list(embeddings.values())), people)
    low, high = np.percentile(bootstrap_val(table, [table.threshold(FAR)]), CI95_PERCENT)
    state = torch.load(folder / "last.pt", weights_only=True)
    return {
        **{name: value for name, value in asdict(run).items() if name != "tables"},
        **described(model),
        "model": run.name,
        "faces": run.faces,
        "training_people": state["data"]["people"],
        "training_seconds": round(state["elapsed_seconds"]),
        "view1_accuracy": round(fold_accuracy(chosen, view1.same, view1.fold).mean, 4),
        "lfw_accuracy": round(folds.mean, 5),
        "lfw_accuracy_standard_error": round(folds.standard_error, 5),
        "lfw_val_at_far_0.001": round(val_at_far(reported, view2.same, FAR)[0], 5),
        "all_pairs_val_at_far_0.001": round(table.val(table.threshold(FAR)), 5),
        "all_pairs_val_ci95": [round(float(low), 4), round(float(high), 4)],
    }


def made(run: PlannedRun, said: list[str], options: argparse.Namespace, crops: dict[CropSpec, dict[str, Crop]]) -> Row:
    """The row of a run: trained, exported and measured, unless that was done before."""
    folder = options.work / run.name
    kept = folder / "row.json"
    if not kept.exists() or json.loads((folder / "plan.json").read_text()) != said:
        trained(run, said, options.work)
        model = opened(folder / "last.pt", folder, options.threads)
        kept.write_text(json.dumps(measured(run, model, folder, options.lfw, crops[model.expected.spec])))
    row: Row = json.loads(kept.read_text())
    return row


def tables(plan: list[PlannedRun], rows: dict[str, Row]) -> dict[str, list[Row]]:
    """Rows by table, in the order of the plan; tables without any are left out."""
    names = dict.fromkeys(table for run in plan for table in run.tables)
    found = {name: [rows[run.name] for run in plan if name in run.tables and run.name in rows] for name in names}
    return {name: own for name, own in found.items() if own}


@refusals()
def main() -> None:
    from models.evaluation.document import update_report

    options = _parse()
    torch.set_num_threads(options.threads)
    said = {run.name: _words(run, options) for run in PLAN}
    runs = {run.name: run for run in PLAN}
    wanted = [] if options.finished else [runs[name] for name in options.only or runs]
    if wanted:
        crops = _lfw_crops([said[run.name] for run in wanted], options)
        for run in (bar := tqdm(wanted, unit="run", desc="tables")):
            bar.set_postfix_str(run.name)
            print(json.dumps(made(run, said[run.name], options, crops)), flush=True)
    files = {run.name: options.work / run.name / "row.json" for run in PLAN}
    rows = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
    update_report({"training_tables": tables(PLAN, rows)}, options.out)


def _lfw_crops(said: list[list[str]], options: argparse.Namespace) -> dict[CropSpec, dict[str, Crop]]:
    """LFW's faces as each run wants to see them, by geometry."""
    geometry = Crops(options.crops)
    chosen = [parse("", words_) for words_ in said]
    specs = list(dict.fromkeys(geometry.spec(one.side, one.crop_px) for one in chosen))
    return lfw_crops(options.lfw / "images", specs, options.work, options.processes)


def _words(run: PlannedRun, options: argparse.Namespace) -> list[str]:
    out = options.work / run.name
    return [*words(run, options.crops, options.teacher, options.start_from, out), "--threads", str(options.threads)]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, help="folder of prepared crops to train on")
    parser.add_argument("--teacher", type=Path, required=True, help="its teacher's embeddings")
    parser.add_argument("--start-from", type=Path, required=True, help="a good NN2 checkpoint at 112 px")
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=[run.name for run in PLAN], help="these runs alone, in this order")
    parser.add_argument("--finished", action="store_true", help="train nothing, write the runs that are finished")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the report that gets the tables")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    return parser.parse_args()


if __name__ == "__main__":
    main()
