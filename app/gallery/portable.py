"""A gallery as lines of JSON, to be taken elsewhere: a header, a line for each subject, and a last line that counts.

Embeddings are base64 of little-endian float32, exactly as they are stored, and in clear. The header names the model by
its SHA-256: distances between embeddings of different models mean nothing. docs/commands.md describes the format.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from app.domain import NewFace
from app.errors import BadRequest, ModelMismatch
from app.gallery import statements
from app.gallery.checks import check_expires_at
from app.gallery.sealing import SealBroken, StoredTemplate, TemplateKeys
from app.gallery.tables import faces, subjects

FORMAT = "sameface gallery"
VERSION = 1

_PAGE_SUBJECTS = 500
_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class PortableModel:
    """The model that made the embeddings."""

    id: str
    sha256: str
    embedding_size: int


@dataclass(frozen=True, slots=True)
class PortableSubject:
    """A subject as a file holds it."""

    subject_id: str
    name: str | None
    metadata: dict[str, Any]
    expires_at: datetime | None
    faces: list[NewFace]

    def values(self) -> dict[str, Any]:
        """What is known of the subject besides its faces."""
        given = {"name": self.name, "metadata": self.metadata, "expires_at": self.expires_at}
        return {key: value for key, value in given.items() if value is not None}


def read_lines(
    connection: sa.Connection, gallery: str, model: PortableModel, keys: TemplateKeys
) -> Iterator[dict[str, Any]]:
    """The lines of a gallery, as one snapshot of the database has them. Faces that other models
    embedded are not among them.

    Raises GalleryNotFound, and BadRequest for a template that was altered.
    """
    gallery_id = statements.gallery_id(connection, gallery)
    yield {
        "format": FORMAT,
        "version": VERSION,
        "gallery": gallery,
        "model": {"id": model.id, "sha256": model.sha256, "embedding_size": model.embedding_size},
    }
    counts = {"subjects": 0, "faces": 0}
    for line in _read_subjects(connection, gallery_id, model.id, keys):
        counts["subjects"] += 1
        counts["faces"] += len(line["faces"])
        yield line
    yield {"end": counts}


def check_header(line: Mapping[str, Any], model: PortableModel) -> str:
    """The name of the gallery that a file holds. Raises BadRequest, and ModelMismatch for another model's."""
    if line.get("format") != FORMAT or line.get("version") != VERSION:
        raise BadRequest(f"this is no {FORMAT} of version {VERSION}; it begins with {json.dumps(line)[:100]}")
    given = line.get("model")
    found = given if isinstance(given, dict) else {}
    if found.get("sha256") != model.sha256 or found.get("id") != model.id:
        raise ModelMismatch(
            f"these embeddings were made by the model {found.get('id')} (sha-256 {str(found.get('sha256'))[:12]}), and "
            f"{model.id} (sha-256 {model.sha256[:12]}) is served; distances between the two mean nothing. Serve that "
            "model (SAMEFACE_MODEL), or enrol the photographs again",
            file_model=found,
            served_model={"id": model.id, "sha256": model.sha256},
        )
    return str(line.get("gallery"))


def read_subject(line: Mapping[str, Any], embedding_size: int) -> PortableSubject:
    """A line's subject. Raises BadRequest where it is not one."""
    try:
        expires_at = line["expires_at"]
        if not isinstance(line["subject_id"], str) or not isinstance(line["name"], str | None):
            raise TypeError("subject_id and name are text")
        return PortableSubject(
            subject_id=line["subject_id"],
            name=line["name"],
            metadata=dict(line["metadata"]),
            expires_at=check_expires_at(None if expires_at is None else datetime.fromisoformat(expires_at)),
            faces=[_face(face, embedding_size) for face in line["faces"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"this is no subject: {type(error).__name__} {error}") from None


def _read_subjects(
    connection: sa.Connection, gallery_id: int, model_id: str, keys: TemplateKeys
) -> Iterator[dict[str, Any]]:
    after = 0
    query = sa.select(subjects).order_by(subjects.c.id).limit(_PAGE_SUBJECTS)
    while rows := connection.execute(query.where(subjects.c.gallery_id == gallery_id, subjects.c.id > after)).all():
        after = rows[-1].id
        found = _read_faces(connection, [row.id for row in rows], model_id, keys)
        for row in rows:
            yield {
                "subject_id": row.subject_id,
                "name": row.name,
                "metadata": row.metadata,
                "created_at": row.created_at.isoformat(),
                "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
                "faces": found.get(row.id, []),
            }


def _read_faces(
    connection: sa.Connection, subject_keys: list[int], model_id: str, keys: TemplateKeys
) -> dict[int, list[dict[str, Any]]]:
    query = sa.select(faces).where(faces.c.subject_key.in_(subject_keys), faces.c.model_id == model_id)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query.order_by(faces.c.id)):
        stored = StoredTemplate(row.vector, row.content_sha256, row.key_id)
        try:
            template = keys.open(stored, row.face_id, model_id)
        except SealBroken as error:
            raise BadRequest(f"{error}; nothing is exported that cannot be vouched for") from None
        found.setdefault(row.subject_key, []).append(
            {
                "face_id": row.face_id,
                "created_at": row.created_at.isoformat(),
                "content_sha256": template.content_sha256,
                "embedding": base64.b64encode(template.vector).decode(),
            }
        )
    return found


def _face(face: Mapping[str, Any], embedding_size: int) -> NewFace:
    vector = np.frombuffer(base64.b64decode(face["embedding"], validate=True), "<f4")
    if vector.shape != (embedding_size,):
        raise ValueError(f"an embedding has {vector.size} numbers, not {embedding_size}")
    if not abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) <= _NORM_TOLERANCE:
        raise ValueError("an embedding is not a unit vector")
    content_sha256 = face["content_sha256"]
    if len(bytes.fromhex(content_sha256)) != 32:
        raise ValueError(f"content_sha256 is {content_sha256!r}")
    return NewFace(vector.astype(np.float32), content_sha256)
