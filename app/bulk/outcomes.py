"""What became of each photograph of a bulk enrolment: in memory, in the file to resume from, and in the report."""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from app.errors import ConfigurationError

_BEGINNING = b'{"subject_id": '  # of each line

ENROLLED, EXISTED, REJECTED = "enrolled", "existed", "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One photograph. `status` is enrolled, existed or rejected; `reasons` are codes of app.errors.

    `outlier`: it does not look like the subject's other faces. `duplicates`: subjects it would be identified as.
    """

    subject_id: str
    path: str
    content_sha256: str | None
    status: str
    reasons: tuple[str, ...] = ()
    detail: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    outlier: bool = False
    duplicates: tuple[str, ...] = ()
    earlier: bool = False  # of a run before this one

    @property
    def noteworthy(self) -> bool:
        """Whether somebody should look at it."""
        return self.status == REJECTED or self.outlier or bool(self.duplicates)


class Progress:
    """Outcomes as lines of JSON in a file, written as they come, so that a run can go on where another stopped."""

    def __init__(self, path: Path, *, again: bool = False) -> None:
        """Raises ConfigurationError where the file cannot be written or is another's."""
        self.path = path
        self._known: dict[tuple[str, str], Outcome] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not again and path.exists():
                self._known = _read(path)
            self._known_paths = _by_path(self._known)
            path.touch(mode=0o600)  # it names people
            self._file: TextIO = path.open("w" if again else "a", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}; --state names another") from None

    def __len__(self) -> int:
        return len(self._known)

    def keep(self, subject_ids: set[str]) -> None:
        """Forget what was stored for others: they have been erased since, and are to be enrolled anew if asked."""
        self._known = {key: outcome for key, outcome in self._known.items() if outcome.subject_id in subject_ids}
        self._known_paths = _by_path(self._known)

    def known(self, subject_id: str, content_sha256: str) -> Outcome | None:
        """What became of this very file of this subject in an earlier run, where it was stored.

        One that was rejected is not known: what was asked may be another thing now, or what was in its way gone.
        """
        return self._known.get((subject_id, content_sha256))

    def known_path(self, subject_id: str, path: str) -> Outcome | None:
        """The same by its path, for what is not at hand to be hashed."""
        return self._known_paths.get((subject_id, path))

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Remember them, on disk when this returns. Raises ConfigurationError where they cannot be."""
        try:
            self._file.writelines(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes)
            self._file.flush()
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        self._file.close()


def write_report(path: Path, outcomes: Iterable[Outcome]) -> None:
    """A CSV file of the photographs that somebody should look at. Raises ConfigurationError."""
    try:
        path.touch(mode=0o600)  # it names people
        # File names need not be UTF-8.
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["subject_id", "path", "status", "reasons", "detail", "measured", "outlier", "duplicates"])
            for outcome in outcomes:
                if outcome.noteworthy:
                    writer.writerow(_row(outcome))
    except OSError as error:
        raise ConfigurationError(f"the report {path} cannot be written: {error.strerror}") from None


def _row(outcome: Outcome) -> list[str]:
    return [
        outcome.subject_id,
        outcome.path,
        outcome.status,
        " ".join(outcome.reasons),
        outcome.detail or "",
        json.dumps(outcome.measured) if outcome.measured else "",
        "yes" if outcome.outlier else "",
        " ".join(outcome.duplicates),
    ]


def _by_path(known: Mapping[tuple[str, str], Outcome]) -> dict[tuple[str, str], Outcome]:
    return {(outcome.subject_id, outcome.path): outcome for outcome in known.values()}


def _read(path: Path) -> dict[tuple[str, str], Outcome]:
    """What the file holds; the end of a run that was killed while it wrote is cut off."""
    known: dict[tuple[str, str], Outcome] = {}
    content = path.read_bytes()
    *lines, rest = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            lists = {name: tuple(values[name]) for name in ("reasons", "duplicates")}
            outcome = Outcome(**{**values, **lists, "earlier": True})
        except (ValueError, TypeError, KeyError):
            raise _not_ours(path, number) from None
        if outcome.content_sha256 is None:
            continue
        if outcome.status == REJECTED:
            known.pop((outcome.subject_id, outcome.content_sha256), None)
        else:
            known[outcome.subject_id, outcome.content_sha256] = outcome
    if rest:
        if not (rest.startswith(_BEGINNING) or _BEGINNING.startswith(rest)):
            raise _not_ours(path, len(lines) + 1)
        os.truncate(path, len(content) - len(rest))
    return known


def _not_ours(path: Path, line: int) -> ConfigurationError:
    return ConfigurationError(f"{path}, line {line}: not the state of an enrolment; --state names another")
