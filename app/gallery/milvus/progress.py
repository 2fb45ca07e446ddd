"""What a collection says of itself: how far it is, and what is in each gallery.

It lies in a collection beside the faces, a row for the whole (key 0) and one for each gallery, written by one call
after the faces were. So what it says is never ahead of them, and a start counts nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from app.gallery.changes import AuditEnd
from app.gallery.milvus.connection import MilvusConnection
from app.gallery.milvus.faces import VECTOR
from app.gallery.milvus.schema import STATE_SUFFIX

_PROGRESS_KEY = 0
_FIELDS = ["key", "revision", "document"]


@dataclass(frozen=True, slots=True)
class Contents:
    """A gallery's name, None once it was dropped, and how many subjects and faces of it are indexed."""

    name: str | None
    subjects: int = 0
    faces: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a collection is.

    `unfinished`: the revision that a batch of changes was to lead to when its writing began; None when it was done. A
    batch that is unfinished is written again, and all is counted anew, since nobody knows how much of it there is.
    `abandoned`: the database went back behind it; it answers until another one is built, and claims nothing.
    `newest_id` and `newest_key`: the largest id of a face and key of a subject ever held.
    """

    revision: int = 0
    unfinished: int | None = None
    abandoned: bool = False
    newest_id: int = 0
    newest_key: int = 0
    audit_end: AuditEnd | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that a collection says of itself."""

    progress: Progress = Progress()
    galleries: Mapping[int, Contents] = field(default_factory=dict)

    def updated(self, progress: Progress, changed: Mapping[int, Contents]) -> "Report":
        return replace(self, progress=progress, galleries={**self.galleries, **changed})


def read_progress(connection: MilvusConnection, collection: str) -> Progress:
    """How far a collection is; at the beginning where nothing was written."""
    rows = connection.call("query", collection + STATE_SUFFIX, filter=f"key == {_PROGRESS_KEY}", output_fields=_FIELDS)
    return _progress(rows[0]) if rows else Progress()


def read_galleries(connection: MilvusConnection, collection: str, after_revision: int = -1) -> dict[int, Contents]:
    """What is in the galleries that changed after a revision, dropped ones included."""
    condition = f"key > {_PROGRESS_KEY} and revision > {after_revision}"
    pages = connection.rows(collection + STATE_SUFFIX, condition, _FIELDS)
    return {row["key"]: Contents(**json.loads(row["document"])) for page in pages for row in page}


def write(
    connection: MilvusConnection, collection: str, progress: Progress, galleries: Mapping[int, Contents] | None = None
) -> None:
    """Write all of it at once."""
    rows = [_row(_PROGRESS_KEY, progress.revision, asdict(progress))]
    rows += [_row(key, progress.revision, asdict(contents)) for key, contents in (galleries or {}).items()]
    connection.call("upsert", collection + STATE_SUFFIX, rows)


def live(galleries: Mapping[int, Contents]) -> Iterable[tuple[int, Contents]]:
    """Those that are not dropped."""
    return ((key, contents) for key, contents in galleries.items() if contents.name is not None)


def _row(key: int, revision: int, document: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(document, ensure_ascii=False)
    return {"key": key, "revision": revision, "document": text, VECTOR: [0.0, 0.0]}


def _progress(row: Mapping[str, Any]) -> Progress:
    document = json.loads(row["document"])
    end = document.pop("audit_end")
    return Progress(**document, audit_end=None if end is None else AuditEnd(**_end(end)))


def _end(end: Any) -> dict[str, Any]:
    # asdict leaves a NamedTuple one, which JSON makes a list of.
    return dict(zip(AuditEnd._fields, end, strict=True))
