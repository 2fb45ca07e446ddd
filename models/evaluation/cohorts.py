"""False accepts within and across cohorts: by age, gender and ethnicity where file names say so.

Knows UTKFace's names (`AGE_GENDER_ETHNICITY_TIME.jpg`; gender 0 male, 1 female; ethnicity 0 White, 1 Black, 2 Asian,
3 Indian, 4 other) and All-Age-Faces' (`NUMBERAage.jpg`; the first 7,381 are female). Neither set says who is in a
photograph, so every photograph counts as another person, except copies nearer than `models.calibrate.SAME_BELOW`:
people who do occur again count as false accepts, so the rates are upper bounds, and there are no false rejects.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.faces.card import MIN_FALSE_ACCEPTS
from models.calibrate import SAME_BELOW, assumed_people
from models.evaluation.allpairs import short
from models.pairs import CI95_PERCENT, Embeddings

RESAMPLES = 200
_ROWS = 1024
_UTK = re.compile(r"(\d+)_([01])_([0-4])_\d+.*")
_AAF = re.compile(r"(\d{5})A(\d{2}).*")
_AAF_FEMALE = 7381
_ETHNICITIES = ["White", "Black", "Asian", "Indian", "other"]
_AGES = [(0, 12), (13, 19), (20, 39), (40, 59), (60, 200)]


@dataclass(frozen=True, slots=True)
class Labels:
    """What a file name says; `ethnicity` is None where it does not."""

    age: str
    gender: str
    ethnicity: str | None


def labels_of(name: str) -> Labels | None:
    """The labels in a file name of UTKFace or All-Age-Faces; None where it is of neither form."""
    if found := _UTK.fullmatch(name):
        age, gender, ethnicity = (int(group) for group in found.groups())
        return Labels(_band(age), ("male", "female")[gender], _ETHNICITIES[ethnicity])
    if found := _AAF.fullmatch(name):
        return Labels(_band(int(found[2])), "female" if int(found[1]) < _AAF_FEMALE else "male", None)
    return None


def measure(
    embeddings: Embeddings, labels: list[Labels], thresholds: dict[str, float], seed: int = 1
) -> list[dict[str, Any]]:
    """A row for each two cohorts of a kind, or one with itself, and each named threshold."""
    people = assumed_people(embeddings, SAME_BELOW)
    limit = max(thresholds.values())
    near = _near(embeddings, people, limit)
    rows = []
    for kind in ("age", "gender", "ethnicity"):
        values = [getattr(label, kind) for label in labels]
        if None not in values and len(set(values)) > 1:
            rows += _by(kind, np.array(values), people, near, thresholds, seed)
    return rows


def differentials(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each kind and threshold the highest rate within a cohort over the lowest: 1 is even treatment."""
    result = []
    for kind, name in dict.fromkeys((row["kind"], row["threshold_at"]) for row in rows):
        within = [r for r in rows if (r["kind"], r["threshold_at"]) == (kind, name) and r["first"] == r["second"]]
        supported = [row for row in within if row["supported"]]
        if len(supported) > 1:
            low, high = min(supported, key=_far), max(supported, key=_far)
            ratio = round(high["far"] / low["far"], 2)
            result.append(
                {"kind": kind, "threshold_at": name, "highest": high["first"], "lowest": low["first"], "ratio": ratio}
            )
    return result


def _far(row: dict[str, Any]) -> float:
    return float(row["far"])


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """Pairs below a distance: `squared_l2` float32 (m,), `first` and `second` int64 (m,)."""

    squared_l2: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def _near(embeddings: Embeddings, people: NDArray[np.int64], limit: float) -> _Near:
    found = []
    for start in tqdm(range(0, len(embeddings), _ROWS), desc="pairs", unit="block"):
        squared_l2 = np.clip(2 - 2 * embeddings[start : start + _ROWS] @ embeddings.T, 0, 4)
        first, second = np.nonzero(squared_l2 < limit)
        once = (second > first + start) & (people[first + start] != people[second])
        found.append((squared_l2[first, second][once], first[once] + start, second[once]))
    return _Near(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _by(
    kind: str, values: NDArray[np.str_], people: NDArray[np.int64], near: _Near, thresholds: dict[str, float], seed: int
) -> list[dict[str, Any]]:
    names, cohort = np.unique(values, return_inverse=True)
    size = len(names)
    rng = np.random.default_rng(seed)
    # The first row is the data as it is; the others draw photographs with replacement.
    counts = np.concatenate([np.ones((1, len(people))), rng.multinomial(len(people), _even(people), RESAMPLES)])
    pairs = np.array([_pairs(row, cohort, people, size) for row in counts])
    rows = []
    for name, threshold in thresholds.items():
        below = near.squared_l2 < threshold
        a, b = near.first[below], near.second[below]
        ends = np.sort(np.stack([cohort[a], cohort[b]]), axis=0)
        cell = ends[0] * size + ends[1]
        accepted = np.array([np.bincount(cell, row[a] * row[b], size * size) for row in counts]).reshape(-1, size, size)
        for i, j in zip(*np.triu_indices(size), strict=True):
            far = accepted[:, i, j] / np.maximum(pairs[:, i, j], 1)
            low, high = np.percentile(far[1:], CI95_PERCENT)
            rows.append(
                {
                    "kind": kind,
                    "first": str(names[i]),
                    "second": str(names[j]),
                    "threshold_at": name,
                    "threshold": round(threshold, 5),
                    "pairs": int(pairs[0, i, j]),
                    "false_accepts": int(accepted[0, i, j]),
                    "far": short(far[0]),
                    "ci95": [short(low), short(high)],
                    "supported": bool(accepted[0, i, j] >= MIN_FALSE_ACCEPTS),
                }
            )
    return rows


def _even(people: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.full(len(people), 1 / len(people))


def _pairs(
    counts: NDArray[np.float64], cohort: NDArray[np.int64], people: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """Pairs of different people between each two cohorts, float64 (size, size), when photographs count so often."""
    total = np.bincount(cohort, counts, size)
    pairs = np.outer(total, total)
    # Leave out a photograph with itself and with those taken for the same person.
    own = np.zeros((people.max() + 1, size))
    np.add.at(own, (people, cohort), counts)
    pairs -= own.T @ own
    pairs[np.diag_indices(size)] /= 2
    return pairs


def _band(age: int) -> str:
    low, high = next(band for band in _AGES if band[0] <= age <= band[1])
    return f"{low}+" if high >= 200 else f"{low:02d}-{high}"


def labelled(paths: list[Path]) -> tuple[NDArray[np.int64], list[Labels]]:
    """Indices of the files whose names say something, and what they say."""
    found = [(number, labels) for number, path in enumerate(paths) if (labels := labels_of(path.name))]
    return np.array([number for number, _ in found], np.int64), [labels for _, labels in found]
