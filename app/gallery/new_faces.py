"""What an enrolment's faces become in the database: which the subject has already, and the rows of the others."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from app.domain import Embedding, NewFace, StoredFace
from app.gallery import statements
from app.gallery.checks import check_face_count
from app.gallery.crops import crop_row
from app.gallery.sealing import Template, TemplateKeys


@dataclass(frozen=True, slots=True)
class SortedFaces:
    """What each face is stored as, and rows to insert: `new` for `faces`, less what is the same in all of them."""

    stored: list[StoredFace] = field(default_factory=list)
    new: list[dict[str, Any]] = field(default_factory=list)
    crops: list[dict[str, Any]] = field(default_factory=list)


class FaceSorter:
    """Tells which faces are new to a subject, and seals those that are."""

    def __init__(self, model_id: str, keys: TemplateKeys) -> None:
        self._model_id = model_id
        self._keys = keys

    def sort(
        self, connection: sa.Connection, subject_key: int, faces: Sequence[NewFace], max_faces: int
    ) -> SortedFaces:
        """A photograph that the subject has keeps its face_id, also where it is known by another model only.

        Raises BadRequest where the subject would have more than `max_faces`, and ValueError for what is no embedding.
        """
        known = statements.face_ids_by_content(connection, subject_key, self._model_id)
        others = statements.face_ids_by_content(connection, subject_key) if faces else {}
        return self._sorted(faces, known, others, subject_key, max_faces)

    def sort_new(self, faces: Sequence[NewFace], max_faces: int) -> SortedFaces:
        """The same for a subject that has no faces yet; crops are not kept. Raises as `sort` does."""
        return self._sorted(faces, {}, {}, None, max_faces)

    def _sorted(
        self,
        faces: Sequence[NewFace],
        known: dict[tuple[str, str | None], str],
        others: Mapping[tuple[str, str | None], str],
        subject_key: int | None,
        max_faces: int,
    ) -> SortedFaces:
        vectors = [vector_bytes(face.embedding) for face in faces]
        result = SortedFaces()
        for face, vector in zip(faces, vectors, strict=True):
            face_id = self._known(known, face.content_sha256)
            existed = face_id is not None
            face_id = face_id or self._known(others, face.content_sha256) or str(uuid.uuid4())
            result.stored.append(StoredFace(face_id, existed))
            if not existed:
                row = self._row(face_id, Template(vector, face.content_sha256))
                result.new.append(row)
                known[row["content_sha256"], row["key_id"]] = face_id
            if face.crop is not None and subject_key is not None:
                result.crops.append(crop_row(face_id, subject_key, face.crop, self._keys))
        if result.new:
            check_face_count(len(known), max_faces, "image")
        return result

    def _known(self, known: Mapping[tuple[str, str | None], str], content_sha256: str) -> str | None:
        for key_id in {key_id for _, key_id in known}:
            face_id = known.get((self._keys.content_hash(content_sha256, key_id), key_id))
            if face_id is not None:
                return face_id
        return None

    def _row(self, face_id: str, template: Template) -> dict[str, Any]:
        return {"face_id": face_id, **asdict(self._keys.seal(template, face_id, self._model_id))}


def vector_bytes(embedding: Embedding) -> bytes:
    """Little-endian float32. Raises ValueError for what is not one vector of finite numbers."""
    vector = np.asarray(embedding, "<f4")
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError(f"an embedding is one vector of finite numbers, not {vector.shape} {embedding.dtype}")
    return vector.tobytes()
