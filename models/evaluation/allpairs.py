"""Verification on all pairs of a set of labelled faces, down to the false-accept rate that the pairs support.

In the manner of BLUFR (Liao, Lei, Yi, Li 2014): LFW's 6,000 chosen pairs say nothing below a rate of 1e-3, its tens of
millions of possible ones do. BLUFR averages over ten random halves of LFW with training on the rest; nothing is
trained here, so all pairs count at once, and intervals come from a bootstrap over people.
"""

from typing import Any

import numpy as np

from app.faces.card import MIN_FALSE_ACCEPTS, ModelCard
from models.calibrate import LARGEST_FAR, POINTS, rates
from models.openset import Embeddings, People
from models.pairs import CI95_PERCENT, PairTable, bootstrap, bootstrap_val


def measure(embeddings: Embeddings, people: People, card: ModelCard | None) -> dict[str, Any]:
    """VAL at each rate of POINTS that the pairs support, the ROC, and what the card's own thresholds give here."""
    table = PairTable(embeddings, people)
    fars = [far for far in POINTS if far * table.impostor_pairs >= MIN_FALSE_ACCEPTS]
    points = _rows(table, [table.threshold(far) for far in fars])
    result = {
        "photographs": len(people),
        "people": len(np.unique(people)),
        "impostor_pairs": table.impostor_pairs,
        "genuine_pairs": len(table.genuine),
        "points": [{"asked_far": far, **row} for far, row in zip(fars, points, strict=True)],
        "roc": [[far, round(table.val(table.threshold(far)), 5)] for far in rates(table)],
    }
    if card is not None:
        own = [p for p in card.calibration.operating_points if table.far(p.threshold) <= LARGEST_FAR]
        rows = _rows(table, [p.threshold for p in own])
        result["card_points"] = [{"card_far": p.far, **row} for p, row in zip(own, rows, strict=True)]
    return result


def _rows(table: PairTable, thresholds: list[float]) -> list[dict[str, Any]]:
    """FAR and VAL at each threshold with their 95 % intervals."""
    if not thresholds:
        return []
    far_ends = np.percentile(bootstrap(table, thresholds), CI95_PERCENT, axis=0).T
    val_ends = np.percentile(bootstrap_val(table, thresholds), CI95_PERCENT, axis=0).T
    return [
        {
            "threshold": round(threshold, 5),
            "far": short(table.far(threshold)),
            "far_ci95": [short(end) for end in far_ends[i]],
            "val": round(table.val(threshold), 5),
            "val_ci95": [round(float(end), 5) for end in val_ends[i]],
        }
        for i, threshold in enumerate(thresholds)
    ]


def short(rate: float) -> float:
    """Three digits, which is more than any of these rates is known to."""
    return float(f"{rate:.3g}")
