"""Every way a request can fail, as facts. No HTTP here: `app.api.problems` maps codes to statuses.

SamefaceError
├── BadInput                 the caller can mend it
│   ├── BadRequest           bad_request          a field is missing, unknown or malformed
│   ├── ImageTooLarge        image_too_large      too many bytes or pixels
│   ├── UnsupportedFormat    unsupported_format   not an image format that is read
│   ├── UnreadableImage      unreadable_image     the format is read, these bytes are damaged
│   ├── NoFace               no_face              the detector found none
│   ├── SeveralFaces         several_faces        one was demanded, more were found
│   ├── LowQuality           low_quality          no image passed the gates of enrolment
│   └── FarNotSupported      far_not_supported    the calibration has too few impostor pairs
├── AccessDenied             the caller may not
│   ├── Unauthenticated      unauthenticated      no API key, or one that is unknown, expired or revoked
│   ├── Forbidden            forbidden            the key lacks a scope or a gallery
│   └── RateLimited          rate_limited         the caller asked too often
├── NotFound
│   ├── SubjectNotFound      subject_not_found
│   ├── GalleryNotFound      gallery_not_found
│   ├── FaceNotFound         face_not_found
│   ├── CropNotKept          crop_not_kept        the face is there, its crop was not stored
│   └── JobNotFound          job_not_found        expired, deleted, or lost in a restart
├── Conflict
│   ├── DuplicateIdentity    duplicate_identity   the face already belongs to another subject
│   ├── IdempotencyConflict  idempotency_conflict the key came with another request, or what it stored was erased
│   └── ModelMismatch        model_mismatch       embeddings of another model
├── Unavailable              try again later
│   ├── Overloaded           overloaded           a bounded queue is full
│   ├── NotReady             not_ready            starting, stopping or the database is away
│   └── DeadlineExceeded     deadline_exceeded    the request's time ran out
└── ConfigurationError       configuration        the service cannot start as configured
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class SamefaceError(Exception):
    """Base of all errors: a stable code, a sentence, the field at fault and the facts behind it."""

    code: ClassVar[str] = "error"
    problem: Mapping[str, Any] | None = None  # the problem document, where the error came to a client

    def __init__(self, message: str, *, field: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.facts = facts


class BadInput(SamefaceError):
    """The caller sent something that cannot be used."""


class BadRequest(BadInput):
    code = "bad_request"


class ImageTooLarge(BadInput):
    code = "image_too_large"


class UnsupportedFormat(BadInput):
    code = "unsupported_format"


class UnreadableImage(BadInput):
    code = "unreadable_image"


class NoFace(BadInput):
    code = "no_face"


class SeveralFaces(BadInput):
    code = "several_faces"


class LowQuality(BadInput):
    code = "low_quality"


class FarNotSupported(BadInput):
    code = "far_not_supported"


class AccessDenied(SamefaceError):
    """The caller is not who may do this."""


class Unauthenticated(AccessDenied):
    code = "unauthenticated"


class Forbidden(AccessDenied):
    code = "forbidden"


class RateLimited(AccessDenied):
    code = "rate_limited"


class NotFound(SamefaceError):
    """The caller named something that does not exist."""


class SubjectNotFound(NotFound):
    code = "subject_not_found"


class GalleryNotFound(NotFound):
    code = "gallery_not_found"


class FaceNotFound(NotFound):
    code = "face_not_found"


class CropNotKept(NotFound):
    code = "crop_not_kept"


class JobNotFound(NotFound):
    code = "job_not_found"


class Conflict(SamefaceError):
    """The request contradicts what is stored."""


class DuplicateIdentity(Conflict):
    code = "duplicate_identity"


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"


class ModelMismatch(Conflict):
    code = "model_mismatch"


class Unavailable(SamefaceError):
    """The service cannot answer now; the same request may succeed later."""


class Overloaded(Unavailable):
    code = "overloaded"


class NotReady(Unavailable):
    code = "not_ready"


class DeadlineExceeded(Unavailable):
    code = "deadline_exceeded"


class ConfigurationError(SamefaceError):
    """The service refuses to start: the setting, what is wrong with it and what to do."""

    code = "configuration"


def none_usable(sentence: str, errors: Sequence[BadInput], images: Sequence[Mapping[str, Any]]) -> BadInput:
    """What several photographs failed with, as one error: of their own kind, or LowQuality where there are several.

    `images` has the facts of each.
    """
    kind = type(errors[0]) if len({type(error) for error in errors}) == 1 else LowQuality
    return kind(sentence, field="image", images=images)


def for_operator(error: SamefaceError) -> str:
    """The error as whoever runs the service may see it: callers are not told what lies behind an Unavailable."""
    cause = error.__cause__
    if cause is None or not isinstance(error, Unavailable):
        return error.message
    return f"{error.message}: {str(cause).splitlines()[0]}"
