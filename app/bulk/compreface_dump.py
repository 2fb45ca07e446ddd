"""The photographs in a dump of CompreFace's database, as `pg_dump` writes it in plain SQL.

The tables are those of CompreFace 0.6 to 1.2: `model` (a service with its api_key), `subject`, `embedding` (an example
of a subject) and `img` (its photograph). The file is read once, line by line; photographs stay where they are in it
until each is wanted.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from app.bulk.compreface import SavedPhotograph
from app.errors import ConfigurationError

_COPY = re.compile(rb"COPY (?:\"?\w+\"?\.)?\"?(model|subject|embedding|img)\"? \(([^)]*)\) FROM stdin;")
_INSERT = re.compile(rb"INSERT INTO (?:\"?\w+\"?\.)?\"?(subject|embedding|img)\"? ")
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ARCHIVE = b"PGDMP"
_GZIP = b"\x1f\x8b"

# The collection of CompreFace's demonstration, whose examples have no photographs.
_DEMO_KEY = "00000000-0000-0000-0000-000000000002"

Row = Mapping[str, str | None]


@dataclass(slots=True)
class _Tables:
    """What of the tables is wanted; of `img` only where in the file each row begins."""

    services: dict[str, str] = field(default_factory=dict)  # api_key to name
    subjects: dict[str, tuple[str, str]] = field(default_factory=dict)  # id to api_key and name
    examples: list[tuple[str, str, str | None]] = field(default_factory=list)  # id, subject's id, photograph's id
    photographs: dict[str, int] = field(default_factory=dict)  # id to offset
    photograph_columns: tuple[str, ...] = ()


class CompreFaceDump:
    """A plain SQL dump. Photographs may be read from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigurationError for a file that cannot be read or is no such dump."""
        self._path = path
        try:
            with path.open("rb") as file:
                _check_kind(path, file.read(len(_ARCHIVE)))
                file.seek(0)
                self._tables = _read_tables(path, file)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None

    @property
    def collections(self) -> dict[str, str]:
        """Name of each service that has subjects, by its api_key; the demonstration's is left out."""
        used = {api_key for api_key, _ in self._tables.subjects.values()}
        return {key: self._tables.services.get(key, key) for key in sorted(used - {_DEMO_KEY})}

    def photographs(self, collection: str | None = None) -> list[SavedPhotograph]:
        """All examples of a collection, named by its service or api_key; None where there is one alone.

        Raises ConfigurationError where the name fits none, or none was given and there are several.
        """
        wanted, tables = self._key_of(collection), self._tables
        found: dict[tuple[str, str], SavedPhotograph] = {}
        for example, subject_key, photograph in tables.examples:
            api_key, subject = tables.subjects.get(subject_key, ("", ""))
            if api_key == wanted:
                # One photograph has an embedding for each model that CompreFace was run with.
                read = functools.partial(self._photograph, photograph)
                found.setdefault((subject, photograph or example), SavedPhotograph(subject, example, read))
        return list(found.values())

    def _key_of(self, collection: str | None) -> str:
        known = self.collections
        fitting = [key for key, name in known.items() if collection is None or collection in (key, name)]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(f"{name} ({key})" for key, name in known.items()) or "none"
        raise ConfigurationError(f"--collection must name one of the face collections in the dump: {names}")

    def _photograph(self, image_id: str | None) -> bytes:
        offset = None if image_id is None else self._tables.photographs.get(image_id)
        if offset is None:
            return b""
        with self._path.open("rb") as file:
            file.seek(offset)
            row = _row(self._tables.photograph_columns, file.readline())
        return _bytea(row["content"] or "")


def _check_kind(path: Path, head: bytes) -> None:
    if head == _ARCHIVE:
        raise ConfigurationError(f"{path} is an archive of pg_dump; `pg_restore -f dump.sql {path.name}` makes it SQL")
    if head.startswith(_GZIP):
        raise ConfigurationError(f"{path} is compressed; unpack it with `gunzip` first")


def _read_tables(path: Path, file: BinaryIO) -> _Tables:
    tables = _Tables()
    seen = set()
    for line in iter(file.readline, b""):
        if _INSERT.match(line):
            raise ConfigurationError(f"{path} was made with --inserts; make it with plain `pg_dump`")
        if (copy := _COPY.match(line)) is not None:
            seen.add(copy[1])
            _read_rows(tables, copy[1].decode(), tuple(re.findall(r"\w+", copy[2].decode())), file)
    if missing := {b"subject", b"embedding", b"img"} - seen:
        names = ", ".join(sorted(name.decode() for name in missing))
        raise ConfigurationError(f"{path} is no plain dump of CompreFace 0.6 or later: it has no data of {names}")
    return tables


def _read_rows(tables: _Tables, table: str, columns: tuple[str, ...], file: BinaryIO) -> None:
    for offset, line in _rows(file):
        if table == "img":
            tables.photograph_columns = columns
            tables.photographs[line.split(b"\t")[columns.index("id")].decode()] = offset
            continue
        row = _row(columns, line)
        if table == "model":
            tables.services[row["api_key"] or ""] = row["name"] or ""
        elif table == "subject":
            tables.subjects[row["id"] or ""] = (row["api_key"] or "", row["subject_name"] or "")
        else:
            tables.examples.append((row["id"] or "", row["subject_id"] or "", row["img_id"]))


def _rows(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines of a COPY and where each begins, up to the one that ends it; raises ConfigurationError without it."""
    offset = file.tell()
    for line in iter(file.readline, b""):
        if line.rstrip(b"\r\n") == b"\\.":
            return
        if not line.endswith(b"\n"):
            break
        yield offset, line
        offset += len(line)
    raise ConfigurationError(f"{file.name} ends in the middle of a table: it was not written to its end")


def _row(columns: tuple[str, ...], line: bytes) -> Row:
    values = line.rstrip(b"\r\n").split(b"\t")
    return dict(zip(columns, map(_text, values), strict=True))


def _text(value: bytes) -> str | None:
    """A value as COPY writes it (PostgreSQL manual, COPY, text format)."""
    return None if value == b"\\N" else _ESCAPE.sub(_unescaped, value).decode()


def _unescaped(escape: re.Match[bytes]) -> bytes:
    what = escape[1]
    if what in _LETTERS:
        return _LETTERS[what]
    if what.startswith(b"x") and len(what) > 1:
        return bytes([int(what[1:], 16)])
    return bytes([int(what, 8) & 0xFF]) if what.isdigit() else what


def _bytea(text: str) -> bytes:
    """bytea in hexadecimal, PostgreSQL's way since 9.0."""
    return bytes.fromhex(text.removeprefix("\\x"))
