"""Open-set identification: how often a stranger is given a name (FPIR) and a known person is not given theirs (FNIR).

    python -m models.openset crops/calibration crops/lfw --model models/weights/facenet-nn2-128.onnx --out openset.json

Each folder of prepared crops is measured by itself. Of its people a random N are enrolled with one photograph each in
the service's own index; their other photographs and all photographs of the rest are probes. The threshold is the one
that the service takes for N faces and the rate asked for. FNIR counts a known person whose own name is not the nearest
one, or not below the threshold. Galleries differ, by who is in them: so this is done for many, a rate is the mean over
them, and its 95 % interval is over galleries and, by bootstrap, over the probes' people.
Photographs without a found face are not in the crops and so not in the rates.
"""

import argparse
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.errors import FarNotSupported
from app.faces.card import ModelCard
from app.faces.embed import FaceEmbedder
from app.gallery.changes import Changes, FaceChange, GalleryChange
from app.gallery.faiss_index import FaissIndex
from app.thresholds import for_identification
from models.data import UNLABELLED, Crops
from models.photographs import embed_crops
from models.refusals import refusals

SIZES = [100, 1000, 4000]
ASKED_FPIR = [0.01, 0.03, 0.1, 0.3]
MIN_STRANGERS = 50
GALLERIES = 20
RESAMPLES = 1000

Embeddings = NDArray[np.float32]
People = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """The nearest subject of each probe: `squared_l2` float64 (n,), `right` bool (n,); `people` int64 (n,)."""

    people: People
    squared_l2: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def count(self) -> int:
        return len(self.people)


@dataclass(frozen=True, slots=True)
class Measured:
    """A rate with its 95 % interval."""

    rate: float
    ci95: tuple[float, float]


def identify(embeddings: Embeddings, people: People, size: int, seed: int) -> tuple[Probes, Probes]:
    """Enrol `size` random people with one photograph each; the probes of those enrolled, and of strangers."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(people))
    labels, first = np.unique(people[shuffled], return_index=True)
    chosen = rng.permutation(len(labels))[:size]
    enrolled = shuffled[first[chosen]]
    index = _index(embeddings[enrolled], people[enrolled])
    probe = np.setdiff1d(np.arange(len(people)), enrolled)
    known = np.isin(people[probe], labels[chosen])
    return _nearest(index, embeddings, people, probe[known]), _nearest(index, embeddings, people, probe[~known])


def rates(drawn: Sequence[tuple[Probes, Probes]], threshold: float, seed: int) -> tuple[Measured, Measured]:
    """FPIR and FNIR at a threshold, of the known and the strangers of each gallery."""
    false_names = [(strangers.squared_l2 < threshold, strangers.people) for _, strangers in drawn]
    misses = [(~(known.right & (known.squared_l2 < threshold)), known.people) for known, _ in drawn]
    return over_galleries(false_names, seed), over_galleries(misses, seed)


def over_galleries(outcomes: Sequence[tuple[NDArray[np.bool_], People]], seed: int) -> Measured:
    """The mean share of probes to which something happened, over galleries and, in the interval, over people too.

    Galleries without a probe do not count; one of them must have some.
    """
    outcomes = [outcome for outcome in outcomes if len(outcome[0])]
    each = max(RESAMPLES // len(outcomes), 1)
    resampled = [bootstrap(*outcome, seed + number, each) for number, outcome in enumerate(outcomes)]
    low, high = np.percentile(np.concatenate(resampled), [2.5, 97.5])
    return Measured(float(np.mean([happened.mean() for happened, _ in outcomes])), (float(low), float(high)))


def bootstrap(happened: NDArray[np.bool_], people: People, seed: int, resamples: int) -> NDArray[np.float64]:
    """The share of probes to which something happened, float64 (resamples,); people are drawn with all their probes."""
    _, person = np.unique(people, return_inverse=True)
    probes, events = np.bincount(person), np.bincount(person, happened)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(probes), np.full(len(probes), 1 / len(probes)), resamples)
    shares: NDArray[np.float64] = (drawn @ events) / (drawn @ probes)
    return shares


def measure(
    embeddings: Embeddings,
    people: People,
    card: ModelCard,
    sizes: list[int],
    asked: list[float],
    *,
    galleries: int = GALLERIES,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """One row for each gallery size that leaves enough strangers and each FPIR that the calibration supports."""
    rows = []
    total = len(np.unique(people))
    for size in [size for size in sizes if size <= total - MIN_STRANGERS]:
        drawn = [identify(embeddings, people, size, seed + number) for number in tqdm(range(galleries), desc=f"{size}")]
        if not any(known.count for known, _ in drawn):  # nobody has another photograph to be recognised by
            continue
        known, strangers = drawn[0]
        for fpir in asked:
            try:
                limit = for_identification(card, faces=size, threshold=None, fpir=fpir, default_fpir=fpir)
            except FarNotSupported:
                continue
            fpir_measured, fnir = rates(drawn, limit.squared_l2, seed)
            low, high = fpir_measured.ci95
            rows.append(
                {
                    "enrolled": size,
                    "galleries": galleries,
                    "known_probes": known.count,
                    "stranger_probes": strangers.count,
                    "stranger_people": len(np.unique(strangers.people)),
                    "asked_fpir": fpir,
                    "threshold": round(limit.squared_l2, 4),
                    "fpir": _rounded(fpir_measured),
                    "fnir": _rounded(fnir),
                    "asked_is_in_interval": low <= fpir <= high,
                }
            )
    return rows


def embed(crops: Crops, embedder: FaceEmbedder) -> tuple[Embeddings, People]:
    """Embeddings and people of all crops that say who they are."""
    wanted = np.flatnonzero(crops.people != UNLABELLED)
    return embed_crops(crops, embedder.embed, embedder.card.input.spec, wanted), crops.people[wanted]


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plot", type=Path, help="asked and measured rates as a picture")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="people enrolled")
    parser.add_argument("--asked-fpir", type=float, nargs="+", default=ASKED_FPIR)
    parser.add_argument("--galleries", type=int, default=GALLERIES, help="drawn of each size")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    embedder = FaceEmbedder(options.model, threads=options.threads)
    card = embedder.card
    rows = []
    for folder in options.crops:
        embeddings, people = embed(Crops(folder), embedder)
        found = measure(embeddings, people, card, options.sizes, options.asked_fpir, galleries=options.galleries)
        rows += [{"data": folder.name, **row} for row in found]
    result = {"model": card.id, "sha256": card.sha256, "calibration": card.calibration.data, "rows": rows}
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        print(_line(row))
    if options.plot:
        from models.plot import openset

        openset(rows, options.plot)


def _index(embeddings: Embeddings, people: People) -> FaissIndex:
    faces = [
        FaceChange(number, 1, 1, number, str(person), None, str(uuid.UUID(int=number)), vector.tobytes())
        for number, (vector, person) in enumerate(zip(embeddings, people.tolist(), strict=True), start=1)
    ]
    index = FaissIndex(embeddings.shape[1])
    index.apply(Changes(1, 1, [GalleryChange(1, 1, "openset")], faces))
    return index


def _nearest(index: FaissIndex, embeddings: Embeddings, people: People, probes: NDArray[np.int64]) -> Probes:
    found = [candidates[0] for candidates in index.search("openset", embeddings[probes], 1)]
    right = np.array([c.subject_id == str(person) for c, person in zip(found, people[probes], strict=True)], bool)
    return Probes(people[probes], np.array([candidate.distance for candidate in found]), right)


def _rounded(measured: Measured) -> dict[str, Any]:
    return {"rate": round(measured.rate, 5), "ci95": [round(end, 5) for end in measured.ci95]}


def _line(row: dict[str, Any]) -> str:
    fpir, fnir = row["fpir"], row["fnir"]
    return (
        f"{row['data']}, N = {row['enrolled']}: FPIR {row['asked_fpir']:g} asked, {fpir['rate']:.4f} "
        f"({fpir['ci95'][0]:.4f} to {fpir['ci95'][1]:.4f}) measured; FNIR {fnir['rate']:.4f} "
        f"({fnir['ci95'][0]:.4f} to {fnir['ci95'][1]:.4f}); {row['stranger_probes']} strangers, "
        f"{row['known_probes']} known"
    )


if __name__ == "__main__":
    main()
