"""One thing that was looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """With anything `wrong` a service does not start or does not work; a `warning` is for people to decide."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and found; `advice` says what to do where it is not ok."""

    check: str
    verdict: Verdict
    detail: str
    advice: str | None = None


def ok(check: str, detail: str) -> Finding:
    return Finding(check, Verdict.OK, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    return Finding(check, Verdict.WARNING, detail, advice)


def wrong(check: str, detail: str, advice: str) -> Finding:
    return Finding(check, Verdict.WRONG, detail, advice)
