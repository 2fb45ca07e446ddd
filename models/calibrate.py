"""Operating points: which squared L2 threshold gives which false-accept rate, on people the network never saw.

    python -m models.calibrate crops/ --model unmarked.onnx --out calibration.json --data "CelebA validation people"

Every pair of different people among the crops is an impostor pair. A rate is reported only where at least ten false
accepts stand behind it, with a 95 % interval by bootstrap over people (a person's pairs are not independent, so
people are drawn, not pairs). The threshold at a rate is an order statistic of the impostor distances.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tqdm import tqdm

from app.faces.card import MIN_FALSE_ACCEPTS
from models.data import Crops

POINTS = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
PER_DECADE = 10
RESAMPLES = 200


class PairTable:
    """Distances of all pairs, with what a bootstrap over people needs.

    `people` int64 (n,) of the crops; `first`, `second` int32 and `squared_l2` float32 (m,) of the nearest impostor
    pairs, ascending; `impostor_pairs` counts all of them; `genuine` float32 holds every same-person distance.
    """

    def __init__(self, embeddings: NDArray[np.float32], people: NDArray[np.int64], keep_share: float = 0.5) -> None:
        self.people = people
        squared_l2 = np.clip(2.0 - 2.0 * (embeddings @ embeddings.T), 0.0, 4.0).astype(np.float32)
        first, second = np.triu_indices(len(people), k=1)
        values, same = squared_l2[first, second], people[first] == people[second]
        self.genuine = np.sort(values[same])
        impostor = np.flatnonzero(~same)
        self.impostor_pairs = len(impostor)
        order = impostor[np.argsort(values[impostor], kind="stable")[: int(keep_share * len(impostor)) + 1]]
        self.squared_l2 = values[order]
        self.first, self.second = first[order].astype(np.int32), second[order].astype(np.int32)

    def threshold(self, far: float) -> float:
        """The order statistic at a rate."""
        return float(self.squared_l2[int(np.floor(far * self.impostor_pairs))])

    def val(self, threshold: float) -> float:
        """Share of genuine pairs below a threshold."""
        return float(np.searchsorted(self.genuine, threshold, side="left") / len(self.genuine))


def bootstrap(table: PairTable, thresholds: list[float], seed: int = 1) -> NDArray[np.float64]:
    """FAR at each threshold in `RESAMPLES` draws of people with replacement, float64 (resamples, thresholds).

    A person drawn k times counts k-fold; a pair counts as the product of its two people's counts.
    """
    labels, person = np.unique(table.people, return_inverse=True)
    faces = np.bincount(person)
    a, b = person[table.first], person[table.second]
    ends = np.searchsorted(table.squared_l2, thresholds, side="left")
    rng = np.random.default_rng(seed)
    rows = []
    for _ in tqdm(range(RESAMPLES), desc="bootstrap", unit="draw"):
        count = np.bincount(rng.integers(0, len(labels), len(labels)), minlength=len(labels))
        weight = np.concatenate([[0], np.cumsum(count[a] * count[b], dtype=np.int64)])
        weighted = count * faces
        pairs = (weighted.sum() ** 2 - (weighted**2).sum()) / 2
        rows.append(weight[ends] / pairs)
    return np.array(rows)


def rates(table: PairTable) -> list[float]:
    """Ten rates a decade from 0.3 down to the smallest that the pairs support."""
    smallest = MIN_FALSE_ACCEPTS / table.impostor_pairs
    exponents = np.arange(-5, 71) / PER_DECADE
    fars = {float(f"{10**-e:.4g}") for e in exponents} | {0.3}
    return sorted((far for far in fars if smallest <= far <= 0.3), reverse=True)


def calibration(table: PairTable, data: str) -> dict[str, Any]:
    """The `calibration` part of a model card."""
    fars = rates(table)
    thresholds = [table.threshold(far) for far in fars]
    low, high = np.percentile(bootstrap(table, thresholds), [2.5, 97.5], axis=0)
    curve = [
        {"far": far, "threshold": round(t, 5), "ci95": [_short(a), _short(b)], "val": round(table.val(t), 5)}
        for far, t, a, b in zip(fars, thresholds, low, high, strict=True)
    ]
    return {
        "data": data,
        "people": len(np.unique(table.people)),
        "impostor_pairs": table.impostor_pairs,
        "genuine_pairs": len(table.genuine),
        "operating_points": [point for point in curve if point["far"] in POINTS],
        "curve": curve,
    }


def _short(rate: float) -> float:
    return float(f"{rate:.3g}")


def embed_crops(crops: Crops, model: Path, side: int, batch_size: int = 64) -> NDArray[np.float32]:
    """Embeddings of prepared crops by an exported network, float32 (n, d); its input is -1..1."""
    session = ort.InferenceSession(model)
    margin = (crops[np.array([0])].shape[1] - side) // 2
    rows = []
    for start in tqdm(range(0, len(crops), batch_size), desc="embed", unit="batch"):
        chosen = np.arange(start, min(start + batch_size, len(crops)))
        images = crops[chosen][:, margin : margin + side, margin : margin + side]
        planes = (np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32) - 127.5) / np.float32(127.5)
        rows.append(session.run(None, {session.get_inputs()[0].name: planes})[0])
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", required=True, help="what the photographs are, for the model card")
    parser.add_argument("--side", type=int, default=112)
    options = parser.parse_args()
    crops = Crops(options.crops)
    table = PairTable(embed_crops(crops, options.model, options.side), crops.people)
    result = calibration(table, options.data)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{result['people']} people, {result['impostor_pairs']} impostor pairs")
    for point in result["operating_points"]:
        print(f"FAR {point['far']:g}: threshold {point['threshold']}, 95 % {point['ci95']}, VAL {point['val']}")


if __name__ == "__main__":
    main()
