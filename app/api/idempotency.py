"""The header Idempotency-Key: a request repeated under the same key is answered from memory and not done again."""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.fields import EnrollFields
from app.errors import SamefaceError
from app.service import FaceService

if TYPE_CHECKING:
    from app.gallery.answers import Answer

logger = logging.getLogger(__name__)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="chosen by the caller for one request; a repetition under it gets the first answer again, with "
        "`Idempotent-Replayed: true`, and another request under it is 409 `idempotency_conflict`",
    ),
]


async def answered_once(
    request: Request,
    service: FaceService,
    key: str | None,
    fields: EnrollFields,
    enroll: Callable[[], Awaitable[tuple[int, BaseModel]]],
) -> Response:
    """The status and body that `enroll` gives, or gave when this caller first came with this key.

    Errors are not kept, so a request that failed can be mended under its key. Raises IdempotencyConflict.
    """
    if key is None:
        return _response(await _answer(enroll))
    caller = getattr(request.state, "key", None)
    from app.gallery.answers import IdempotentRequest  # the database is slow to import

    repeatable = IdempotentRequest("" if caller is None else caller.key_id, key, request_sha256(fields))
    known = await service.records.in_database(service.answers.find, repeatable)
    if known is not None:
        return _response(known, {"Idempotent-Replayed": "true"})
    answer = await _answer(enroll)
    try:
        keep = service.answers.keep
        await service.records.in_database(keep, repeatable, fields.gallery, fields.subject_id, answer)
    except SamefaceError as error:  # the enrolment stands; a repetition finds its photographs there already
        logger.warning("an answer could not be kept for its Idempotency-Key: %s", error.message)
    return _response(answer)


def request_sha256(fields: BaseModel) -> str:
    """Of every field, so that neither the order of a form nor its boundary matters."""
    canonical = json.dumps(_hashable(fields.model_dump()), sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


async def _answer(enroll: Callable[[], Awaitable[tuple[int, BaseModel]]]) -> "Answer":
    from app.gallery.answers import Answer

    status, body = await enroll()
    return Answer(status, body.model_dump_json())


def _response(answer: "Answer", headers: dict[str, str] | None = None) -> Response:
    return Response(answer.body, answer.status, headers, media_type="application/json")


def _hashable(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, dict):
        return {key: _hashable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hashable(inner) for inner in value]
    return value
