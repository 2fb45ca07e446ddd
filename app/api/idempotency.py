"""The header Idempotency-Key: a request repeated under the same key is answered from memory and not done again."""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.fields import EnrollFields
from app.domain import Enrolment
from app.errors import SamefaceError
from app.service import FaceService

if TYPE_CHECKING:
    from app.gallery.answers import Answer, RepeatableEnrolment

logger = logging.getLogger(__name__)

_REPLAYED = {"Idempotent-Replayed": "true"}

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


class Enroll(Protocol):
    """Enrols what was asked, and keeps the answer with it where it is repeatable."""

    def __call__(self, *, repeatable: "RepeatableEnrolment | None") -> Awaitable[Enrolment]: ...


async def answered_once(
    request: Request,
    service: FaceService,
    key: str | None,
    fields: EnrollFields,
    enroll: Enroll,
    answer: Callable[[Enrolment], tuple[int, BaseModel]],
) -> Response:
    """The status and body that `answer` makes of an enrolment, or made when this caller first came with this key.

    Errors are not kept, so a request that failed can be mended under its key. Raises IdempotencyConflict.
    """
    from app.gallery.answers import AnsweredMeanwhile, IdempotentRequest, RepeatableEnrolment  # slow to import

    def answer_of(enrolment: Enrolment) -> "Answer":
        return _answer(*answer(enrolment))

    if key is None:
        return _response(answer_of(await enroll(repeatable=None)))
    caller = getattr(request.state, "key", None)
    asked = IdempotentRequest("" if caller is None else caller.key_id, key, request_sha256(fields))
    known = await service.records.in_database(service.answers.find, asked)
    if known is not None:
        return _response(known, _REPLAYED)
    try:
        given = answer_of(await enroll(repeatable=RepeatableEnrolment(asked, answer_of)))
    except AnsweredMeanwhile as other:
        return _response(other.answer, _REPLAYED)
    try:
        await service.records.in_database(service.answers.complete, asked, given)
    except SamefaceError as error:  # what was kept with the enrolment says that it was not indexed yet
        logger.warning("the answer that is kept for an Idempotency-Key could not be completed: %s", error.message)
    return _response(given)


def request_sha256(fields: BaseModel) -> str:
    """Of every field, so that neither the order of a form nor its boundary matters."""
    canonical = json.dumps(_hashable(fields.model_dump()), sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _answer(status: int, body: BaseModel) -> "Answer":
    from app.gallery.answers import Answer

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
