"""Errors as RFC 9457 problem documents: one shape for everything that goes wrong, the framework's own errors too."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app import logs
from app.errors import (
    BadRequest,
    ConfigurationError,
    NotReady,
    RateLimited,
    SamefaceError,
    Unauthenticated,
    Unavailable,
    for_operator,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

# Every code that an error of app.errors can carry, and the HTTP status that says it; a test holds this complete.
STATUS: dict[str, int] = {
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "image_too_large": 413,
    "unsupported_format": 415,
    "unreadable_image": 422,
    "no_face": 422,
    "several_faces": 422,
    "low_quality": 422,
    "far_not_supported": 422,
    "subject_not_found": 404,
    "gallery_not_found": 404,
    "face_not_found": 404,
    "crop_not_kept": 404,
    "job_not_found": 404,
    "duplicate_identity": 409,
    "idempotency_conflict": 409,
    "model_mismatch": 409,
    "rate_limited": 429,
    "overloaded": 503,
    "not_ready": 503,
    "deadline_exceeded": 504,
    "configuration": 500,
}

# What the framework itself answers, as codes.
_CODE_OF_STATUS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}
_DETAIL_OF_STATUS = {404: "there is nothing at this path", 405: "this path does not take this method"}

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_RETRY_AFTER_SECONDS = "1"
_MAX_FAULTS = 100
_SHOWN_FIELD = 200  # characters: whoever asks chooses the names of unknown fields


def install_problem_handlers(app: FastAPI) -> None:
    """Answer the service's and the framework's errors with problem documents."""
    app.add_exception_handler(SamefaceError, _answer_sameface_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)


def problem_of(error: SamefaceError) -> Response:
    """The problem document of one of our own errors."""
    status = STATUS.get(error.code, 500)
    return problem(
        status, error.code, error.message, field=error.field, facts=error.facts, headers=_headers(status, error)
    )


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document; `facts` become members of it, and cannot displace the standard ones."""
    logs.problem_code.set(code)
    body = to_json(document(status, code, detail, field, facts), fallback=str, inf_nan_mode="null")
    return Response(body, status, headers, MEDIA_TYPE)


def document_of(error: SamefaceError) -> dict[str, Any]:
    """The problem document of one of our own errors, to be part of an answer."""
    found = document(STATUS.get(error.code, 500), error.code, error.message, error.field, error.facts)
    plain: dict[str, Any] = from_json(to_json(found, fallback=str, inf_nan_mode="null"))
    return plain


def document(
    status: int, code: str, detail: str, field: str | None, facts: Mapping[str, object] | None
) -> dict[str, Any]:
    """The members of a problem document of this request; `facts` cannot displace the standard ones."""
    members: dict[str, Any] = {
        **(facts or {}),
        "type": f"urn:sameface:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": logs.request_id.get(),
    }
    if field is not None:
        members["field"] = field
    return members


def bad_request(faults: list[Any]) -> BadRequest:
    """One BadRequest from pydantic's list of faults: the first as the message, up to 100 of them as facts."""
    told = faults[:_MAX_FAULTS]
    errors = [{"field": ".".join(map(str, fault["loc"]))[:_SHOWN_FIELD], "message": _sentence(fault)} for fault in told]
    first = errors[0]
    if not first["field"]:  # of the body as a whole
        return BadRequest(first["message"], errors=errors)
    return BadRequest(f"{first['field']}: {first['message']}", field=first["field"], errors=errors)


def _headers(status: int, error: SamefaceError) -> Mapping[str, str]:
    if isinstance(error, Unauthenticated):
        # RFC 6750: nothing is said of an error where nothing was presented.
        fault = "" if error.facts.get("reason") == "missing" else ', error="invalid_token"'
        return {"WWW-Authenticate": f'Bearer realm="sameface"{fault}'}
    if isinstance(error, RateLimited) or (isinstance(error, Unavailable) and status == 503):
        return {"Retry-After": str(error.facts.get("retry_after_seconds", _RETRY_AFTER_SECONDS))}
    return {}


def _sentence(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "this field is not known, or was given under another name already"
    return str(fault["msg"])


async def _answer_sameface_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SamefaceError)  # noqa: S101 - registered for this class only
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        logger.warning(for_operator(error))  # callers are told the fact alone
    if isinstance(error, ConfigurationError):  # met in a request: what the operator is to do is not for callers
        logger.error(error.message)
        error = NotReady("the service is not set up for what is stored; its log says what is wrong")
    return problem_of(error)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _CODE_OF_STATUS.get(error.status_code, "http_error")
    detail = _DETAIL_OF_STATUS.get(error.status_code, str(error.detail))
    headers = {"Allow": _allowed(request)} if "Allow" in (error.headers or {}) else error.headers
    return problem(error.status_code, code, detail, headers=headers)


def _allowed(request: Request) -> str:
    """All methods of a path; the framework names those of the first route alone."""
    asked = ({**request.scope, "method": method} for method in _METHODS)
    routes = request.app.router.routes
    taken = [scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]
    return ", ".join(["HEAD", *taken] if "GET" in taken else taken)


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [{**fault, "loc": fault["loc"][1:] or fault["loc"]} for fault in error.errors()]  # less query or path
    return problem_of(bad_request(faults))
