"""What may be stored. Databases differ in what they refuse, so it is refused before they see it."""

import json
import re
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic_core import from_json

from app.errors import BadRequest, FaceNotFound

Time = TypeVar("Time", datetime, datetime | None)

MAX_SUBJECT_ID_CHARACTERS = 128
MAX_NAME_CHARACTERS = 256
MAX_GALLERY_NAME_CHARACTERS = 64

_GALLERY_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_GALLERY_NAME_CHARACTERS - 1}}}")
_UNFIT = {"Cc", "Cs"}  # control characters and halves of surrogate pairs


def is_gallery_name(name: str) -> bool:
    """Whether a gallery can have this name."""
    return _GALLERY_NAME.fullmatch(name) is not None


def is_subject_id(subject_id: str) -> bool:
    """Whether there can be a subject of this id."""
    return 1 <= len(subject_id) <= MAX_SUBJECT_ID_CHARACTERS and _is_text(subject_id)


def check_gallery_name(name: str) -> str:
    """Raises BadRequest for a name that a gallery cannot have."""
    if is_gallery_name(name):
        return name
    raise BadRequest(
        f"a gallery is named with 1 to {MAX_GALLERY_NAME_CHARACTERS} letters, digits, dots, hyphens and underscores of "
        "ASCII, and begins with a letter or digit",
        field="gallery",
    )


def check_subject_id(subject_id: str) -> str:
    """Raises BadRequest for an id that a subject cannot have."""
    if is_subject_id(subject_id):
        return subject_id
    raise BadRequest(
        f"subject_id must have 1 to {MAX_SUBJECT_ID_CHARACTERS} characters and no control characters",
        field="subject_id",
        characters=len(subject_id),
    )


def check_new_subject_id(subject_id: str) -> str:
    """Raises BadRequest for an id that a subject cannot have, or should not be given."""
    if subject_id in (".", ".."):  # clients take these out of a path, so that the subject could not be asked for
        raise BadRequest(f"subject_id is {subject_id!r}, which no path can hold", field="subject_id")
    return check_subject_id(subject_id)


def check_name(name: str | None) -> str | None:
    """Raises BadRequest for a display name that cannot be kept."""
    if name is None or (len(name) <= MAX_NAME_CHARACTERS and _is_text(name)):
        return name
    raise BadRequest(
        f"name must have at most {MAX_NAME_CHARACTERS} characters and no control characters",
        field="name",
        characters=len(name),
    )


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping as JSON gives it back. Raises BadRequest for what JSON or UTF-8 cannot hold."""
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
        text.encode()
        kept: dict[str, Any] = from_json(text)  # as the API reads and writes it: no deeper than it can
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"metadata cannot be kept as JSON: {error}", field="metadata") from error
    return kept


def check_metadata_size(metadata: Mapping[str, Any] | None, max_metadata_bytes: int) -> None:
    """Raises BadRequest where metadata cannot be kept as JSON, or is larger than allowed in UTF-8."""
    if metadata is None:
        return
    size = len(json.dumps(check_metadata(metadata), ensure_ascii=False).encode())
    if size > max_metadata_bytes:
        raise BadRequest(
            f"metadata has {size} bytes as JSON; the limit is {max_metadata_bytes}",
            field="metadata",
            metadata_bytes=size,
            max_metadata_bytes=max_metadata_bytes,
        )


def check_face_count(faces: int, max_faces: int, field: str) -> None:
    """Raises BadRequest where a subject would have more than `max_faces`; `field` is what would bring them."""
    if faces > max_faces:
        raise BadRequest(
            f"the subject would have {faces} faces; the limit is {max_faces}",
            field=field,
            faces=faces,
            max_faces=max_faces,
        )


def check_expires_at(expires_at: Time) -> Time:
    """Raises BadRequest for a time without a time zone, and for one that UTC has no date for."""
    if expires_at is None:
        return expires_at
    if expires_at.tzinfo is None:
        raise BadRequest("expires_at needs a time zone, as in 2030-01-31T12:00:00Z", field="expires_at")
    try:
        expires_at.astimezone(UTC)
    except OverflowError:
        raise BadRequest(
            f"expires_at is {expires_at.isoformat()}, which in UTC lies outside the years 1 to 9999", field="expires_at"
        ) from None
    return expires_at


def check_not_expired(expires_at: datetime | None) -> None:
    """Raises BadRequest for a time that is over already, or without a time zone."""
    if expires_at is not None and check_expires_at(expires_at) <= datetime.now(UTC):
        raise BadRequest(
            f"expires_at is {expires_at.isoformat()}, which is over",
            field="expires_at",
            now=datetime.now(UTC).isoformat(),
        )


def canonical_face_id(face_id: str) -> str:
    """The id as it is stored. Raises FaceNotFound for what cannot be one."""
    try:
        return str(uuid.UUID(face_id))
    except ValueError:
        raise FaceNotFound("there is no such face", face_id=face_id) from None


def _is_text(text: str) -> bool:
    return not any(unicodedata.category(character) in _UNFIT or _is_noncharacter(character) for character in text)


def _is_noncharacter(character: str) -> bool:
    return ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
