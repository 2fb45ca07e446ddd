"""Who is to be enrolled: a folder for each subject, or a CSV file with a row for each photograph."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.errors import BadRequest

# What the service reads; anything else in a folder is no photograph.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

_REQUIRED = {"subject_id", "path"}
_COLUMNS = _REQUIRED | {"name", "metadata", "expires_at"}


@dataclass(slots=True)
class Person:
    """A subject to be enrolled and where its photographs are."""

    subject_id: str
    photographs: list[Path] = field(default_factory=list)
    name: str | None = None
    metadata: Mapping[str, Any] | None = None
    expires_at: datetime | None = None


def read_people(source: Path) -> list[Person]:
    """The people of a folder or a CSV file, in order. Raises BadRequest where there are none, or a row is wrong."""
    people = list(_of_folder(source)) if source.is_dir() else _of_csv(source)
    if not people:
        raise BadRequest(
            f"{source} holds nobody: it must have a folder for each subject, named with the subject_id, with "
            f"photographs in it ({', '.join(sorted(SUFFIXES))})"
            if source.is_dir()
            else f"{source} has no rows"
        )
    return people


def photographs_in(folder: Path) -> list[Path]:
    """All photographs in a folder and the folders below it, by path; hidden ones are left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _of_folder(folder: Path) -> Iterator[Person]:
    for subfolder in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        photographs = photographs_in(subfolder)
        if photographs:
            yield Person(subfolder.name, photographs)


def _of_csv(file: Path) -> list[Person]:
    people: dict[str, Person] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            _check_columns(file, set(rows.fieldnames or ()))
            for row in rows:
                _add(people, row, file.parent, f"{file}, line {rows.line_num}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"{file} is not CSV in UTF-8: {error}") from None
    return list(people.values())


def _check_columns(file: Path, columns: set[str]) -> None:
    if not columns >= _REQUIRED or not columns <= _COLUMNS:
        raise BadRequest(
            f"{file} has the columns {sorted(columns)}; it needs {sorted(_REQUIRED)} and may have "
            f"{sorted(_COLUMNS - _REQUIRED)}"
        )


def _add(people: dict[str, Person], row: Mapping[str | None, Any], folder: Path, place: str) -> None:
    if None in row or not row["subject_id"] or not row["path"]:
        raise BadRequest(f"{place}: subject_id and path must be given, and no more columns than the first line names")
    person = people.setdefault(row["subject_id"], Person(row["subject_id"]))
    person.photographs.append(folder / row["path"])
    given = {
        "name": row.get("name") or None,
        "metadata": _metadata(row.get("metadata"), place),
        "expires_at": _time(row.get("expires_at"), place),
    }
    for column, value in given.items():
        known = getattr(person, column)
        if value is not None and known not in (None, value):
            raise BadRequest(f"{place}: the {column} of {person.subject_id!r} was {known!r} before and is {value!r}")
        if value is not None:
            setattr(person, column, value)


def _metadata(text: str | None, place: str) -> Mapping[str, Any] | None:
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"{place}: metadata is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"{place}: metadata is not a JSON object")
    return value


def _time(text: str | None, place: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{place}: expires_at {text!r} is not a time in ISO 8601") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
