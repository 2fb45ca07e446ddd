"""Error rates of verification from distances, each as a small pure function.

`same` is bool (n,), `squared_l2` float (n,). A pair is accepted when `app.domain.is_match` says so: strictly below
the threshold. A photograph that gave no face has distance 4: it is never accepted.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.faces.card import MIN_FALSE_ACCEPTS

Distances = NDArray[np.floating]
Flags = NDArray[np.bool_]


class Rates(NamedTuple):
    """VAL: accepted share of same pairs. FAR: accepted share of different pairs (FaceNet, equations 7 and 8)."""

    val: float
    far: float


class FoldAccuracy(NamedTuple):
    mean: float
    standard_error: float
    thresholds: list[float]


def rates(squared_l2: Distances, same: Flags, threshold: float) -> Rates:
    """VAL and FAR at a threshold."""
    accepted = squared_l2 < threshold
    return Rates(float(accepted[same].mean()), float(accepted[~same].mean()))


def threshold_at_far(impostor: Distances, far: float, minimum: int = MIN_FALSE_ACCEPTS) -> float:
    """The largest threshold with at most `far` of the impostor distances below it: an order statistic.

    Raises ValueError where the pairs cannot support the rate (`far * n < minimum`).
    """
    count = len(impostor)
    if far * count < minimum:
        raise ValueError(f"FAR {far:g} needs {minimum / far:.0f} impostor pairs, there are {count}")
    position = int(np.floor(far * count))
    return float(np.partition(impostor, position)[position])


def val_at_far(squared_l2: Distances, same: Flags, far: float, minimum: int = 1) -> tuple[float, float]:
    """VAL at the threshold that gives this FAR on the same pairs, and the threshold."""
    threshold = threshold_at_far(squared_l2[~same], far, minimum)
    return rates(squared_l2, same, threshold).val, threshold


def accuracy(squared_l2: Distances, same: Flags, threshold: float) -> float:
    """Share of pairs decided rightly."""
    return float(((squared_l2 < threshold) == same).mean())


def best_threshold(squared_l2: Distances, same: Flags) -> float:
    """The threshold of highest accuracy, half-way between the neighbouring distances."""
    order = np.argsort(squared_l2, kind="stable")
    values, positive = squared_l2[order], same[order]
    right = np.concatenate([[0], np.cumsum(np.where(positive, 1, -1))])
    # A cut between equal distances cannot be made.
    right[1:-1][values[1:] == values[:-1]] = -len(same)
    # Nor can a distance of 4 be accepted.
    right[1:][values >= 4.0] = -len(same)
    cut = int(right.argmax())
    edges = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [4.0]])
    return float(edges[cut])


def fold_accuracy(squared_l2: Distances, same: Flags, folds: NDArray[np.int64]) -> FoldAccuracy:
    """LFW's protocol: each fold is decided with the threshold that suits the other folds best.

    A single fold is decided with the threshold that suits itself, which flatters it: for choosing, not for reporting.
    """
    scores, thresholds = [], []
    numbers = np.unique(folds)
    for fold in numbers:
        held_out = folds == fold if len(numbers) > 1 else np.zeros(len(folds), bool)
        threshold = best_threshold(squared_l2[~held_out], same[~held_out])
        thresholds.append(threshold)
        decided = folds == fold
        scores.append(accuracy(squared_l2[decided], same[decided], threshold))
    error = float(np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0
    return FoldAccuracy(float(np.mean(scores)), error, thresholds)


def roc(squared_l2: Distances, same: Flags) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """FAR and VAL at every impostor distance, ascending."""
    impostor, genuine = np.sort(squared_l2[~same]), np.sort(squared_l2[same])
    far = np.arange(1, len(impostor) + 1) / len(impostor)
    return far, np.searchsorted(genuine, impostor, side="right") / len(genuine)
