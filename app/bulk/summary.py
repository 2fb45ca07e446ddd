"""What came of a bulk enrolment, for people and for scripts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from app.bulk.outcomes import REJECTED, Outcome

_SHOWN_REJECTS = 10


def facts(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """For `--json`."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {
        "photographs": len(outcomes),
        "subjects": _subjects(outcomes),
        **{status: counts[status] for status in ("enrolled", "existed", "rejected")},
        "earlier": sum(outcome.earlier for outcome in outcomes),
        "outliers": sum(outcome.outlier for outcome in outcomes),
        "duplicates": sum(bool(outcome.duplicates) for outcome in outcomes),
        "took_seconds": round(seconds, 3),
        "rejects": [
            {
                "subject_id": outcome.subject_id,
                "path": outcome.path,
                "reasons": outcome.reasons,
                "detail": outcome.detail,
                "measured": outcome.measured,
            }
            for outcome in _rejected(outcomes)
        ],
    }


def sentences(outcomes: Sequence[Outcome], gallery: str, seconds: float) -> Iterator[str]:
    """How much, how fast, and how much of it somebody should look at."""
    found = facts(outcomes, seconds)
    yield (
        f"{found['enrolled'] + found['existed']} photographs of {found['subjects']} people are in gallery {gallery}; "
        f"{found['rejected']} were rejected"
    )
    sent = len(outcomes) - found["earlier"]
    yield f"{sent} photographs were sent in {seconds:.1f} s, {sent / max(seconds, 1e-9):.1f} a second"
    if found["earlier"]:
        yield f"{found['earlier']} were done in an earlier run and not sent again; --again sends them all"
    if found["outliers"]:
        yield f"{found['outliers']} look unlike the other photographs of their subject"
    if found["duplicates"]:
        yield f"{found['duplicates']} resemble another subject"


def rejects(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The first few photographs that were rejected, and why."""
    rejected = _rejected(outcomes)
    for outcome in rejected[:_SHOWN_REJECTS]:
        yield f"rejected: {outcome.path}: {' '.join(outcome.reasons)}: {outcome.detail}"
    if len(rejected) > _SHOWN_REJECTS:
        yield f"and {len(rejected) - _SHOWN_REJECTS} more; --report FILE names them all"


def _rejected(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.status == REJECTED]


def _subjects(outcomes: Sequence[Outcome]) -> int:
    return len({outcome.subject_id for outcome in outcomes if outcome.status != REJECTED})
