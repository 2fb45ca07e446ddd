"""Operating points: which squared L2 threshold gives which false-accept rate, on people the network never saw.

    python -m models.calibrate PHOTOGRAPHS --model models/weights/NAME.onnx --data "our visitors" [--write]
    python -m models.calibrate PHOTOGRAPHS --unlabelled --model models/weights/NAME.onnx --data "our visitors" --write

PHOTOGRAPHS is a folder with one folder of photographs per person, a manifest (`.tsv`), crops of `models.prepare`, or
with `--unlabelled` any folder of photographs. They go through the service's own decoder, detector and crop, and
through the ONNX file itself. `--write` puts the result into the file's model card; restart the service to use it. The
file's sha-256 changes with its card, its embeddings do not: a gallery stays as it is.

Every pair of different people is an impostor pair. A rate is reported only where at least ten false accepts stand
behind it and hardly any draw of people is without one; the rest is refused, with the reason. Its 95 % interval is by
bootstrap over people. The threshold at a rate is an order statistic of the impostor distances.

Unlabelled photographs are all taken for different people. Photographs nearer to each other than `--same-below` are
taken for the same person instead (copies, bursts); no threshold below that is reported, and an interval's upper end
counts all such pairs as false accepts. What remains of people who occur several times counts as false accepts: the
thresholds come out too strict rather than too lax, and the share of true matches is unknown.
"""

import argparse
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN

from app.domain import FaceChoice
from app.faces.card import MIN_FALSE_ACCEPTS, CardCalibration, ModelCard
from app.faces.embed import FaceEmbedder
from models.data import UNLABELLED
from models.pairs import CI95_PERCENT, PairTable, bootstrap
from models.photographs import Acquired, acquire, embed_crops, recipe
from models.refusals import refusals

POINTS = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
PER_DECADE = 10
LARGEST_FAR = 0.3
SAME_BELOW = 0.2
NO_FACE_FOUND = "no face was found in any of the photographs"
# More photographs than this are a random choice of so many: memory and time grow with their square.
MAX_PHOTOGRAPHS = 12_000


class Calibrated(NamedTuple):
    """`calibration` as in the model card; `refused` has the reason for each of POINTS that is missing."""

    calibration: dict[str, Any]
    refused: dict[str, str]


def rates(table: PairTable) -> list[float]:
    """Ten rates a decade from 0.3 down to the smallest that the number of pairs supports."""
    if not table.impostor_pairs:
        return []
    smallest = MIN_FALSE_ACCEPTS / table.impostor_pairs
    exponents = np.arange(-5, 71) / PER_DECADE
    fars = {float(f"{10**-e:.4g}") for e in exponents} | {LARGEST_FAR}
    return sorted((far for far in fars if smallest <= far <= LARGEST_FAR), reverse=True)


def calibrate(table: PairTable, data: str, *, same_below: float | None = None, assumed_same: int = 0) -> Calibrated:
    """The card's `calibration`, and what the data cannot support.

    `same_below` for unlabelled photographs: the distance below which people were taken for the same, and
    `assumed_same` how many pairs that were. Raises ValueError where not even two rates can be measured.
    """
    fars = rates(table)
    thresholds = [table.threshold(far) for far in fars]
    low, high = np.percentile(bootstrap(table, thresholds), CI95_PERCENT, axis=0) if fars else ([], [])
    high = np.asarray(high) + assumed_same / max(table.impostor_pairs, 1)
    refused = {far: _too_few(far, table) for far in POINTS if far not in fars}
    genuine = 0 if same_below is not None else len(table.genuine)
    curve = []
    for far, threshold, lower, upper in zip(fars, thresholds, low, high, strict=True):
        if threshold <= 0:
            refused[far] = "that many pairs of different people are no distance apart at all"
        elif lower <= 0:
            refused[far] = "in one of forty draws of people no pair at all is accepted: more people are needed"
        elif same_below is not None and threshold <= same_below:
            refused[far] = f"its threshold {threshold:.3g} is not above {same_below:g}, below which people were merged"
        else:
            val = None if genuine == 0 else round(table.val(threshold), 5)
            ci95 = [_short(lower), _short(upper)]
            curve.append({"far": far, "threshold": threshold, "ci95": ci95, "val": val})
    points = [point for point in curve if point["far"] in POINTS]
    if len(curve) < 2 or not points:
        raise ValueError(
            f"{table.impostor_pairs} impostor pairs of {len(np.unique(table.people))} people support no operating "
            "point: " + "; ".join(f"FAR {far:g}: {reason}" for far in POINTS if (reason := refused.get(far)))
        )
    calibration = {
        "data": data,
        "people": len(np.unique(table.people)),
        "impostor_pairs": table.impostor_pairs,
        "genuine_pairs": genuine,
        "operating_points": points,
        "curve": curve,
    }
    return Calibrated(calibration, {f"{far:g}": refused[far] for far in POINTS if far in refused})


def assumed_people(embeddings: NDArray[np.float32], same_below: float) -> NDArray[np.int64]:
    """A number for each photograph, int64 (n,): its own, or one with all that lie in a chain of near ones."""
    # Squared L2 is the square of scikit-learn's distance; a chain of near photographs is a cluster without noise.
    people: NDArray[np.int64] = DBSCAN(eps=np.sqrt(same_below), min_samples=1).fit_predict(embeddings).astype(np.int64)
    return people


def with_calibration(card: ModelCard, found: Calibrated, default_far: float | None, **facts: Any) -> ModelCard:
    """The card with another calibration, and how that was made in its results. Raises ValueError where the default
    false-accept rate is not supported."""
    far = card.default_far if default_far is None else default_far
    supported = [point["far"] for point in found.calibration["curve"]]
    if not supported[-1] <= far <= supported[0]:
        raise ValueError(
            f"the card's default false-accept rate {far:g} is outside what these photographs support, "
            f"{supported[-1]:g} to {supported[0]:g}; choose another with --default-far"
        )
    record = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "refused": found.refused, **facts}
    return card.model_copy(
        update={
            "calibration": CardCalibration.model_validate(found.calibration),
            "default_far": far,
            "results": card.results | {"calibration": record},
        }
    )


def main() -> None:
    options = _parse()
    with refusals(options.photographs):
        _main(options)


def _main(options: argparse.Namespace) -> None:
    embedder = FaceEmbedder(options.model, threads=options.threads)
    spec = embedder.card.input.spec
    with tempfile.TemporaryDirectory() as temporary:
        made = recipe(options.work or Path(temporary), spec, FaceChoice(options.face))
        labelled = not options.unlabelled
        acquired = acquire(options.photographs, made, labelled=labelled, processes=options.processes)
        chosen = _chosen(acquired, labelled, options.max_photographs)
        embeddings = embed_crops(acquired.crops, embedder.embed, spec, chosen)
    facts: dict[str, Any] = {"photographs": acquired.photographs, "failures_to_acquire": acquired.failures}
    if labelled:
        found = calibrate(PairTable(embeddings, acquired.crops.people[chosen]), options.data)
    else:
        table = PairTable(embeddings, assumed_people(embeddings, options.same_below))
        merged = len(table.genuine)
        data = (
            f"{options.data} (unlabelled: all taken for different people, but {merged} pairs that are linked by "
            f"distances below {options.same_below:g})"
        )
        found = calibrate(table, data, same_below=options.same_below, assumed_same=merged)
        facts |= {"labels": "none", "same_below": options.same_below, "pairs_taken_for_the_same": merged}
    _print(found, facts)
    if options.out:
        options.out.write_text(json.dumps(found.calibration | {"refused": found.refused} | facts, indent=1) + "\n")
    if options.plot:
        from models.plot import calibration as plot_calibration

        plot_calibration(found.calibration, options.plot)
    if options.write:
        from models.export import write_card

        write_card(options.model, with_calibration(embedder.card, found, options.default_far, **facts))
        print(f"written into the model card of {options.model}")


def _chosen(acquired: Acquired, labelled: bool, limit: int) -> NDArray[np.int64]:
    """Indices of the crops to use: those that say who they are, or all; at random where they are too many."""
    wanted = np.flatnonzero(acquired.crops.people != UNLABELLED) if labelled else np.arange(len(acquired.crops))
    if not len(wanted):
        raise ValueError("no photograph says who is in it: use --unlabelled" if len(acquired.crops) else NO_FACE_FOUND)
    return at_most(limit, wanted)


def at_most(limit: int, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the photographs, or so many of them, drawn at random."""
    if len(wanted) > limit:
        print(f"{limit} of {len(wanted)} photographs are used, drawn at random; see --max-photographs")
        wanted = np.sort(np.random.default_rng(1).choice(wanted, limit, replace=False))
    return wanted


def _too_few(far: float, table: PairTable) -> str:
    return f"needs {MIN_FALSE_ACCEPTS / far:,.0f} impostor pairs, there are {table.impostor_pairs:,}"


def _short(rate: float) -> float:
    return float(f"{rate:.3g}")


def _print(found: Calibrated, facts: dict[str, Any]) -> None:
    result, failures = found.calibration, sum(facts["failures_to_acquire"].values())
    print(f"{facts['photographs']} photographs, {failures} gave no face: {facts['failures_to_acquire'] or 'none'}")
    print(
        f"{result['people']} people, {result['impostor_pairs']:,} impostor pairs, {result['genuine_pairs']:,} genuine"
    )
    print_points(CardCalibration.model_validate(result))
    for far, reason in found.refused.items():
        print(f"FAR {far}: refused, {reason}")


def print_points(calibration: CardCalibration) -> None:
    for point in calibration.operating_points:
        val = "" if point.val is None else f", VAL {point.val}"
        print(f"FAR {point.far:g}: threshold {point.threshold}, 95 % {point.ci95[0]} to {point.ci95[1]}{val}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="an ONNX file with a model card")
    parser.add_argument("--data", required=True, help="what the photographs are, for the model card")
    parser.add_argument("--write", action="store_true", help="put the calibration into the file's model card")
    parser.add_argument("--out", type=Path, help="the calibration as JSON")
    parser.add_argument("--plot", type=Path, help="distance over false-accept rate as a picture")
    parser.add_argument("--unlabelled", action="store_true", help="nobody is named: all are taken for different people")
    parser.add_argument(
        "--same-below", type=float, default=SAME_BELOW, help="squared L2 of the same person, unlabelled"
    )
    parser.add_argument("--default-far", type=float, help="the card's default operating point from now on")
    parser.add_argument("--face", choices=list(FaceChoice), default=FaceChoice.LARGEST, help="which of several faces")
    parser.add_argument("--work", type=Path, help="keep crops here, so that an interrupted run goes on")
    parser.add_argument("--max-photographs", type=int, default=MAX_PHOTOGRAPHS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


if __name__ == "__main__":
    main()
