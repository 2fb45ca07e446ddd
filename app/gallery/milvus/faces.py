"""Rows of a collection: one for each face, and what is found among them as candidates."""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

import numpy as np

from app.domain import Candidate, Embedding, squared_l2
from app.gallery.changes import FaceChange

VECTOR = "vector"
# Everything that a candidate is made of.
FIELDS = ["subject_key", "subject_id", "name", "face_high", "face_low", VECTOR]
MAX_SUBJECT_ID_BYTES = 512  # 128 characters in UTF-8
MAX_NAME_BYTES = 1024

_HASH_BYTES = 7  # always positive, as a number in a condition best is

Row = Mapping[str, Any]


def row_of(change: FaceChange) -> dict[str, Any]:
    """The row of a face that is there."""
    face_high, face_low = face_numbers(UUID(change.face_id))
    return {
        "id": change.id,
        "gallery_key": change.gallery_id,
        "subject_key": change.subject_key,
        "subject_hash": subject_hash(change.subject_id or ""),
        "subject_id": change.subject_id,
        "name": change.name,
        "face_high": face_high,
        "face_low": face_low,
        VECTOR: np.frombuffer(change.vector or b"", "<f4"),
    }


def subject_hash(subject_id: str) -> int:
    """What subjects are looked up by: conditions on numbers need no quoting and no index of strings."""
    return int.from_bytes(hashlib.blake2b(subject_id.encode(), digest_size=_HASH_BYTES).digest())


def face_numbers(face_id: UUID) -> tuple[int, int]:
    """The two halves of a face_id as signed 64-bit integers."""
    high, low = struct.unpack(">qq", face_id.bytes)
    return int(high), int(low)


def ranked(probe: Embedding, rows: Iterable[Row], top_k: int) -> list[Candidate]:
    """The best face of each subject, ranked by the distance that `verify` would give; of equals, the oldest face."""
    measured = [(squared_l2(probe, vector_of(row)), row["id"], row) for row in rows]
    measured.sort(key=itemgetter(0, 1))
    best: dict[int, tuple[float, Row]] = {}
    for distance, _, row in measured:
        if len(best) == top_k:
            break
        best.setdefault(row["subject_key"], (distance, row))
    return [candidate(row, distance, rank) for rank, (distance, row) in enumerate(best.values(), start=1)]


def candidate(row: Row, distance: float, rank: int) -> Candidate:
    face_id = UUID(bytes=struct.pack(">qq", row["face_high"], row["face_low"]))
    return Candidate(subject_id=row["subject_id"], name=row["name"], face_id=str(face_id), distance=distance, rank=rank)


def vector_of(row: Row) -> Embedding:
    """The embedding of a row, float32 (embedding_size,)."""
    return np.asarray(row[VECTOR], np.float32)


def among(field: str, values: Sequence[int]) -> str:
    """The condition that a number is one of some."""
    return f"{field} in [{','.join(map(str, values))}]"
