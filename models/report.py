"""Everything that is measured of a model file, as `report.json`, `report.md` and pictures.

    python -m models.report --model models/weights/NAME.onnx --lfw LFW_FOLDER --held-out held-out.tsv \
        [--training-crops crops/] [--cohorts crops/] [--youtube YTF_FOLDER] [--compare OTHER.onnx ...] \
        --work runs/report --out docs/evaluation

`--held-out` is a manifest of people whom the network never saw (see `models.manifest`). What is not given is left
out. Crops do not depend on the network: they are kept in `--work` and serve the next model file too, as long as it
wants the same crop. Each section is kept there as well, for the network and its thresholds, so a stopped run goes on
where it was.
"""

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from app.domain import FaceChoice
from app.faces.card import ModelCard
from app.faces.embed import FaceEmbedder
from models import lfw, openset
from models.data import UNLABELLED, Crops
from models.evaluation import allpairs, cohorts, image_quality, joint_bayesian, tradeoffs, youtube
from models.manifest import Photo, folder_per_person, read, write
from models.photographs import Acquired, acquire, embed_crops, recipe

_COHORT_FARS = [1e-2, 1e-3]

Section = dict[str, Any] | list[dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The model, what it is measured on, and where intermediate results are kept."""

    embedder: FaceEmbedder
    options: argparse.Namespace

    @property
    def own(self) -> Path:
        """What depends on the network and its thresholds, whatever else its card says."""
        return Path(self.options.work) / network_sha256(Path(self.options.model), self.embedder.card)[:12]

    @property
    def shared(self) -> Path:
        """What depends on the crop alone."""
        spec = self.embedder.card.input.spec
        shape = hashlib.sha256(repr((spec.crop_px, spec.template)).encode()).hexdigest()[:8]
        return Path(self.options.work) / f"crops-{spec.crop_px}px-{shape}"

    def crops(self, name: str, photos: list[Photo], change: image_quality.Change | None = None) -> Acquired:
        """Crops of the central face of each photograph, made once; or those that were given."""
        given = getattr(self.options, f"{name.replace('-', '_')}_crops", None)
        if given is not None:
            return acquire(given, recipe(given, self.embedder.card.input.spec))
        made = recipe(self.shared / name, self.embedder.card.input.spec, FaceChoice.CENTRAL, change)
        listed = self.shared / f"{name}.tsv"
        listed.parent.mkdir(parents=True, exist_ok=True)
        write(photos, listed)
        return acquire(listed, made, processes=self.options.processes)

    def embeddings(self, name: str, crops: Crops, chosen: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Embeddings of crops, or of those chosen, made once."""
        kept = self.own / f"{name}.npy"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, embed_crops(crops, self.embedder.embed, self.embedder.card.input.spec, chosen))
        found: NDArray[np.float32] = np.load(kept)
        return found


def network_sha256(path: Path, card: ModelCard) -> str:
    """Of the graph with its weights, the input and the calibration: a card with more results in it is the same."""
    digest = hashlib.sha256(onnx.load(path).graph.SerializeToString(deterministic=True))
    digest.update(card.model_dump_json(include={"input", "calibration"}).encode())
    return digest.hexdigest()


def lfw_faces(bench: Bench) -> tuple[Acquired, NDArray[np.float32]]:
    """All photographs of LFW that are there, and their embeddings."""
    photos = list(folder_per_person(bench.options.lfw / "images", "lfw"))
    acquired = bench.crops("lfw", photos)
    return acquired, bench.embeddings("lfw", acquired.crops)


def lfw_lists(bench: Bench) -> Section:
    """Views 1 and 2 through the detector, and View 2 at the fixed centre crop."""
    acquired, embeddings = lfw_faces(bench)
    by_name = dict(zip([Path(path).stem for path in acquired.crops.files], embeddings, strict=True))
    result: dict[str, Any] = {}
    for name, file in (("view1", "pairsDevTest.txt"), ("view2", "pairs.txt")):
        pairs = lfw.read_pairs(bench.options.lfw / file)
        found = sum(photograph in by_name for photograph in pairs.names)
        result[name] = lfw.report(pairs, lfw.distances(pairs, by_name), found)
    pairs = lfw.read_pairs(bench.options.lfw / "pairs.txt")
    middle = lfw.centre_crops(bench.options.lfw / "images", pairs.names, bench.embedder.card.input.spec)
    squared_l2 = lfw.distances(pairs, lfw.embed_all(middle, bench.embedder.embed))
    return result | {"view2_fixed_centre_crop": lfw.report(pairs, squared_l2, len(middle))}


def lfw_joint_bayesian(bench: Bench) -> Section:
    """View 2 with joint Bayesian, fitted to people of the training set."""
    crops = Crops(bench.options.training_crops)
    chosen = _several_each(crops.people, bench.options.joint_bayesian_crops)
    fitted = joint_bayesian.fit(bench.embeddings("training", crops, chosen), crops.people[chosen])
    acquired, embeddings = lfw_faces(bench)
    by_name = dict(zip([Path(path).stem for path in acquired.crops.files], embeddings, strict=True))
    pairs = lfw.read_pairs(bench.options.lfw / "pairs.txt")
    distances = np.full(len(pairs.same), lfw.NO_FACE_DISTANCE)
    there = [a in by_name and b in by_name for a, b in zip(pairs.first, pairs.second, strict=True)]
    first, second = (
        np.array([by_name[name] for name, both in zip(names, there, strict=True) if both])
        for names in (pairs.first, pairs.second)
    )
    distances[there] = joint_bayesian.distances(fitted.log_ratio(first, second))
    figures = lfw.report(pairs, distances, sum(name in by_name for name in pairs.names))
    people = len(np.unique(crops.people[chosen]))
    return {"training_photographs": len(chosen), "training_people": people, "view2": figures}


def lfw_all_pairs(bench: Bench) -> Section:
    """All pairs of LFW."""
    acquired, embeddings = lfw_faces(bench)
    found = allpairs.measure(embeddings, acquired.crops.people, bench.embedder.card)
    return found | {"failures_to_acquire": sum(acquired.failures.values())}


def held_out_all_pairs(bench: Bench) -> Section:
    """All pairs of the held-out people."""
    acquired = bench.crops("held-out", read(bench.options.held_out))
    embeddings = bench.embeddings("held-out", acquired.crops)
    found = allpairs.measure(embeddings, acquired.crops.people, None)
    return found | {"failures_to_acquire": sum(acquired.failures.values())}


def open_set(bench: Bench) -> Section:
    """FPIR and FNIR by gallery size, on LFW and on the held-out people."""
    sets = {"lfw": lfw_faces(bench)}
    if bench.options.held_out:
        acquired = bench.crops("held-out", read(bench.options.held_out))
        sets["held-out"] = acquired, bench.embeddings("held-out", acquired.crops)
    rows = []
    for name, (acquired, embeddings) in sets.items():
        found = openset.measure(
            embeddings, acquired.crops.people, bench.embedder.card, openset.SIZES, openset.ASKED_FPIR
        )
        rows += [{"data": name, **row} for row in found]
    return rows


def quality_table(bench: Bench) -> Section:
    """VAL on held-out people whose photographs were compressed or shrunk."""
    photos = read(bench.options.held_out)
    people = sorted({photo.identity for photo in photos})[: bench.options.quality_people]
    photos = [photo for photo in photos if photo.identity in set(people)]
    rows = []
    for name, change in image_quality.changes().items():
        acquired = bench.crops(f"quality-{name}", photos, change)
        embeddings = bench.embeddings(f"quality-{name}", acquired.crops)
        threshold = bench.embedder.card.threshold_at_far(image_quality.FAR)
        rows.append(image_quality.row(name, embeddings, acquired.crops.people, acquired.photographs, threshold))
    return rows


def cohort_rates(bench: Bench) -> Section:
    """False accepts within and across cohorts, for each of the sets whose file names have labels."""
    result = {}
    fars = {f"{far:g}": bench.embedder.card.threshold_at_far(far) for far in _COHORT_FARS}
    crops = Crops(bench.options.cohorts)
    paths = [Path(path) for path in crops.files]
    for source in ("UTKFace", "All-Age-Faces"):
        own = np.array([number for number, path in enumerate(paths) if source in str(path)], np.int64)
        if len(own) > bench.options.cohort_crops:
            own = np.sort(np.random.default_rng(1).choice(own, bench.options.cohort_crops, replace=False))
        known, labels = cohorts.labelled([paths[number] for number in own])
        if len(known):
            embeddings = bench.embeddings(f"cohorts-{source}", crops, own[known])
            rows = cohorts.measure(embeddings, labels, fars)
            result[source] = {
                "photographs": len(known),
                "differentials": cohorts.differentials(rows),
                "rows": rows,
            }
    return result


def video(bench: Bench) -> Section:
    """YouTube Faces."""
    return youtube.measure(bench.options.youtube, bench.embedder, bench.own / "youtube")


def comparison(bench: Bench) -> Section:
    """This model and the others side by side."""
    options = bench.options
    spec = bench.embedder.card.input.spec
    names = lfw.read_pairs(options.lfw / "pairs.txt").names
    with tempfile.TemporaryDirectory() as folder:
        models = [tradeoffs.opened(path, Path(folder), 1) for path in [options.model, *options.compare]]
        held_out = bench.crops("held-out", read(options.held_out)).crops if options.held_out else None
        crops = lfw.prepared(lfw_faces(bench)[0].crops, names, spec)
        return [tradeoffs.row(model, options.lfw, crops, held_out) for model in models if model.expected.spec == spec]


SECTIONS: dict[str, tuple[Callable[[Bench], Section], list[str]]] = {
    "lfw": (lfw_lists, ["lfw"]),
    "lfw_joint_bayesian": (lfw_joint_bayesian, ["lfw", "training_crops"]),
    "lfw_all_pairs": (lfw_all_pairs, ["lfw"]),
    "held_out_all_pairs": (held_out_all_pairs, ["held_out"]),
    "open_set": (open_set, ["lfw"]),
    "image_quality": (quality_table, ["held_out"]),
    "cohorts": (cohort_rates, ["cohorts"]),
    "youtube_faces": (video, ["youtube"]),
    "comparison": (comparison, ["lfw", "compare"]),
}


def measured(bench: Bench, name: str) -> Section | None:
    """A section, from `--work` if it was made before; None where what it needs was not given."""
    make, needs = SECTIONS[name]
    if not all(getattr(bench.options, need) for need in needs):
        return None
    kept = bench.own / f"{name}.json"
    if not kept.exists():
        print(f"{name} ...", flush=True)
        found = make(bench)
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".tmp")
        unfinished.write_text(json.dumps(found))
        unfinished.replace(kept)
    section: Section = json.loads(kept.read_text())
    return section


def _several_each(people: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Indices of up to `limit` crops of random people who have at least two, all of each person's."""
    labels, counts = np.unique(people[people != UNLABELLED], return_counts=True)
    order = np.random.default_rng(1).permutation(np.flatnonzero(counts > 1))
    wanted = labels[order[np.cumsum(counts[order]) <= limit]]
    return np.flatnonzero(np.isin(people, wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--held-out", type=Path, help="manifest of people whom the network never saw")
    parser.add_argument("--lfw-crops", type=Path, help="crops of LFW's folder by models.prepare, if there are any")
    parser.add_argument("--held-out-crops", type=Path, help="crops of the manifest by models.prepare, if there are any")
    parser.add_argument("--training-crops", type=Path, help="for joint Bayesian")
    parser.add_argument("--cohorts", type=Path, help="crops of UTKFace and All-Age-Faces")
    parser.add_argument("--joint-bayesian-crops", type=int, default=15_000, help="of the training crops, at most")
    parser.add_argument("--cohort-crops", type=int, default=8_000, help="of each set, at most")
    parser.add_argument("--youtube", type=Path)
    parser.add_argument("--compare", type=Path, nargs="*", default=[], help="other model files or checkpoints")
    parser.add_argument("--quality-people", type=int, default=200)
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bench = Bench(FaceEmbedder(options.model, threads=options.threads), options)
    found = {name: section for name in options.sections if (section := measured(bench, name)) is not None}
    from models.evaluation.document import write_report

    write_report(bench.embedder.card, found, options.out)


if __name__ == "__main__":
    main()
