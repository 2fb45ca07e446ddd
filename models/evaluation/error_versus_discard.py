"""Error-versus-discard curves (ISO/IEC 29794-1) and error rates by value, from faces with measures of quality."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.degrade import DEGRADATIONS
from models.metrics import threshold_at_far

FAR = 1e-3
DISCARDED = np.linspace(0, 0.5, 51)

# Each measure with the degradations that spoil it, and which values of it are worse: low ones, high ones, or those
# far from nought.
MEASURES: dict[str, tuple[tuple[str, ...], str]] = {
    "face_px": (("reduced",), "low"),
    "eye_distance_px": (("reduced",), "low"),
    "yaw_degrees": ((), "far"),
    "pitch_degrees": ((), "far"),
    "roll_degrees": (("tilted",), "far"),
    "sharpness": (("blurred", "reduced"), "low"),
    "brightness": (("darkened", "brightened"), "both"),
    "contrast": (("flattened", "darkened", "brightened"), "low"),
    "confidence": (tuple(name for name in DEGRADATIONS if name != "as taken"), "low"),
    "outside_share": (("cut off",), "high"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """n faces: `kind` names the degradation, `person` and `photo` are numbers, `embedding` float32 (n, d)."""

    kind: NDArray[np.str_]
    person: NDArray[np.int64]
    photo: NDArray[np.int64]
    embedding: NDArray[np.float32]
    measures: dict[str, NDArray[np.float64]]
    acquired: dict[str, float]

    @property
    def untouched(self) -> NDArray[np.bool_]:
        return self.kind == "as taken"


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Of each sample against the untouched photographs: shares falsely rejected (nan: none) and accepted."""

    false_rejects: NDArray[np.float64]
    false_accepts: NDArray[np.float64]
    threshold: float


def compare(samples: Samples, far: float = FAR) -> Rates:
    """Each sample against the untouched photographs, its own photograph left out."""
    base = samples.untouched
    squared_l2 = np.clip(2.0 - 2.0 * (samples.embedding @ samples.embedding[base].T), 0.0, 4.0)
    same = samples.person[:, None] == samples.person[base][None]
    genuine = same & (samples.photo[:, None] != samples.photo[base][None])
    threshold = threshold_at_far(squared_l2[base][~same[base]], far)
    accepted = squared_l2 < threshold
    with np.errstate(invalid="ignore"):
        rejects = (genuine & ~accepted).sum(1) / genuine.sum(1)
    return Rates(rejects, (~same & accepted).sum(1) / (~same).sum(1), threshold)


def badness(values: NDArray[np.float64], worse: str) -> NDArray[np.float64]:
    """Higher is worse."""
    match worse:
        case "low":
            return -values
        case "far":
            return np.abs(values)
        case "both":  # ranks from the middle of what is ordinary
            return np.abs(values - np.median(values))
        case _:
            return values


def error_versus_discard(bad: NDArray[np.float64], rejects: NDArray[np.float64]) -> list[float]:
    """The false-reject rate when the worst of `DISCARDED` are left out."""
    kept_first = _ascending(bad)
    running = np.cumsum(rejects[kept_first]) / np.arange(1, len(bad) + 1)
    return [round(float(running[max(int(len(bad) * (1 - share)), 1) - 1]), 4) for share in DISCARDED]


def by_value(values: NDArray[np.float64], samples: NDArray[np.bool_], rates: Rates, bins: int) -> list[dict[str, Any]]:
    """Mean value and rates of about equally many faces each, from the lowest value to the highest."""
    chosen = np.flatnonzero(samples)
    order = chosen[_ascending(values[chosen])]
    # Equal values stay together, so there may be fewer.
    edges = np.unique(np.searchsorted(values[order], values[order][:: max(len(order) // bins, 1)]))[1:]
    return [
        {
            "value": round(float(np.median(values[part])), 4),
            "from": round(float(values[part].min()), 4),
            "to": round(float(values[part].max()), 4),
            "frr": round(float(rates.false_rejects[part].mean()), 4),
            "far": round(float(rates.false_accepts[part].mean()), 6),
            "faces": len(part),
        }
        for part in np.split(order, edges)
    ]


def _ascending(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions by value; those of equal values in random order, so that neighbours do not share a person."""
    shuffled = np.random.default_rng(0).permutation(len(values))
    return shuffled[np.argsort(values[shuffled], kind="stable")]


def report(samples: Samples, bins: int) -> dict[str, Any]:
    """Everything measured, for a file and for the plot."""
    rates = compare(samples)
    compared = ~np.isnan(rates.false_rejects)  # against some other photograph of the person
    base = samples.untouched & compared
    result: dict[str, Any] = {
        "people": len(np.unique(samples.person)),
        "photographs": len(np.unique(samples.photo)),
        "threshold": round(rates.threshold, 4),
        "far": FAR,
        "frr_untouched": round(float(rates.false_rejects[base].mean()), 4),
        "face_found": {kind: round(share, 4) for kind, share in samples.acquired.items()},
        "discarded": DISCARDED.round(3).tolist(),
        "measures": {},
    }
    for name, (kinds, worse) in MEASURES.items():
        values = samples.measures[name]
        spoilt = (base | np.isin(samples.kind, kinds)) & compared
        result["measures"][name] = {
            "discard_untouched": error_versus_discard(badness(values[base], worse), rates.false_rejects[base]),
            "discard_spoilt": error_versus_discard(badness(values[spoilt], worse), rates.false_rejects[spoilt]),
            "by_value": by_value(np.abs(values) if worse == "far" else values, spoilt, rates, bins),
        }
    return result
