"""The sections of a report: each a function of the bench, and what it needs to be given."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import lfw, openset
from models.data import UNLABELLED, Crops
from models.evaluation import allpairs, cohorts, image_quality, joint_bayesian, tradeoffs, youtube
from models.evaluation.bench import Bench
from models.manifest import folder_per_person, read
from models.photographs import Acquired

_COHORT_FARS = [1e-2, 1e-3]

Section = dict[str, Any] | list[dict[str, Any]]


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
    found = allpairs.measure(*_named(embeddings, acquired.crops.people), None)
    return found | {"failures_to_acquire": sum(acquired.failures.values())}


def open_set(bench: Bench) -> Section:
    """FPIR and FNIR by gallery size, on LFW and on the held-out people."""
    sets = {"lfw": lfw_faces(bench)}
    if bench.options.held_out:
        acquired = bench.crops("held-out", read(bench.options.held_out))
        sets["held-out"] = acquired, bench.embeddings("held-out", acquired.crops)
    rows = []
    for name, (acquired, embeddings) in sets.items():
        named = _named(embeddings, acquired.crops.people)
        found = openset.measure(*named, bench.embedder.card, openset.SIZES, openset.ASKED_FPIR)
        rows += [{"data": name, **row} for row in found]
    return rows


def quality_table(bench: Bench) -> Section:
    """VAL on held-out people whose photographs were compressed or shrunk."""
    photos = read(bench.options.held_out)
    people = sorted({(photo.source, photo.identity) for photo in photos if photo.identity})
    chosen = set(people[: bench.options.quality_people])
    photos = [photo for photo in photos if (photo.source, photo.identity) in chosen]
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
    if not result:
        raise ValueError(
            f"no crop of {bench.options.cohorts} is of a photograph below a folder UTKFace or All-Age-Faces, whose "
            "names say age, gender and ethnicity"
        )
    return result


def _named(embeddings: NDArray[np.float32], people: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Without photographs of which nobody says who is in them: they are not all of one person."""
    named = people != UNLABELLED
    return embeddings[named], people[named]


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


def _several_each(people: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Indices of up to `limit` crops of random people who have at least two, all of each person's."""
    labels, counts = np.unique(people[people != UNLABELLED], return_counts=True)
    order = np.random.default_rng(1).permutation(np.flatnonzero(counts > 1))
    wanted = labels[order[np.cumsum(counts[order]) <= limit]]
    return np.flatnonzero(np.isin(people, wanted))


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
