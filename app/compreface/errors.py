"""Every error under /api/v1 as CompreFace words it: `{"message": ..., "code": ...}`.

Whatever turned a request down, a route or something in front of it, answered with a problem document, and it is
translated here, on its way out. Numbers are those of CompreFace's CommonExceptionCode. So are the statuses where
CompreFace has a case of its own; elsewhere they stay what they are.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.openapi import ANY_REQUEST
from app.api.problems import MEDIA_TYPE, STATUS, problem
from app.errors import BadRequest, FaceNotFound

PREFIX = "/api/v1/"

# The number of each code of app.errors and of the framework; 0 is CompreFace's UNDEFINED.
NUMBERS: dict[str, int] = {
    "bad_request": 26,
    "unauthenticated": 10,
    "forbidden": 1,
    "image_too_large": 36,
    "unsupported_format": 21,
    "unreadable_image": 36,
    "no_face": 28,
    "several_faces": 31,
    "low_quality": 36,
    "far_not_supported": 36,
    "subject_not_found": 42,
    "gallery_not_found": 10,
    "face_not_found": 44,
    "crop_not_kept": 11,
    "job_not_found": 0,
    "duplicate_identity": 36,
    "idempotency_conflict": 36,
    "model_mismatch": 36,
    "rate_limited": 0,
    "overloaded": 41,
    "not_ready": 41,
    "deadline_exceeded": 41,
    "configuration": 41,
    "internal": 41,
}
_UNDEFINED = 0
_MISSING_HEADER = 20

# What CompreFace answers with 400 and sameface is more exact about.
_AS_BAD_REQUEST = ("unsupported_format", "unreadable_image", "no_face", "several_faces", "low_quality")

# Clients compare these sentences, Double Take shows them.
_MESSAGES: dict[str, str] = {
    "no_face": "No face is found in the given image",
    "several_faces": "More than one face in the source image",
    "subject_not_found": "Subject {subject_id} not found",
    "face_not_found": "Image {face_id} not found",
    "crop_not_kept": "Image {face_id} is not stored",
}


class ErrorBody(BaseModel):
    """An error in CompreFace's form."""

    message: str = Field(examples=["No face is found in the given image"])
    code: int = Field(examples=[28], description="CompreFace's number of the error")


def refusal(number: int, message: str) -> BadRequest:
    """A bad request that CompreFace has a number of its own for."""
    return BadRequest(message, compreface_code=number)


def missing_parameter(name: str) -> BadRequest:
    """A query parameter that is required was left out."""
    return refusal(33, f"Required parameter {name} is missing")


def unknown_face(image_id: str) -> FaceNotFound:
    """There is no such face, perhaps because there is no such collection either."""
    return FaceNotFound("there is no such face in this gallery", face_id=image_id)


def error_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of the errors that a route answers, with those that any request may meet."""
    by_status: dict[int | str, list[str]] = {}
    for code in dict.fromkeys(("bad_request", *codes, *ANY_REQUEST)):
        by_status.setdefault(_status(STATUS[code], code), []).append(f"{code.replace('_', ' ')} ({NUMBERS[code]})")
    content = {"application/json": {"schema": ErrorBody.model_json_schema()}}
    return {
        status: {"content": content, "description": ", ".join(named)}
        for status, named in sorted(by_status.items(), key=str)
    }


def image_errors(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Like `error_responses`, for a route that reads photographs."""
    return error_responses("image_too_large", "unsupported_format", "unreadable_image", "no_face", "not_ready", *codes)


class CompreFaceErrors:
    """Middleware that rewords the problem documents of what is under /api/v1."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        answer = _Reworded(send)
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:  # nobody is there to be answered
            raise
        except Exception:
            if not answer.began:
                await problem(500, "internal", "Something went wrong, please try again")(scope, receive, answer.send)
            raise


class _Reworded:
    """Holds a problem document back until it is complete; everything else passes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""
        self.began = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            if Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE:
                self._start = message
                return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._send_reworded(self._start)

    async def _send_reworded(self, start: Message) -> None:
        document = json.loads(self._body)
        response = JSONResponse(_body(document), _status(start["status"], document["code"]))
        kept = [(name, value) for name, value in start["headers"] if name not in (b"content-type", b"content-length")]
        raw_headers = [*response.raw_headers, *kept]
        await self._send({**start, "status": response.status_code, "headers": raw_headers})
        await self._send({"type": "http.response.body", "body": response.body})


def _body(document: Mapping[str, Any]) -> dict[str, Any]:
    code = document["code"]
    number = document.get("compreface_code", NUMBERS.get(code, _UNDEFINED))
    message = _MESSAGES.get(code, "{detail}")
    if code == "unauthenticated" and document.get("reason") == "missing":
        return {"message": "Missing header: x-api-key", "code": _MISSING_HEADER}
    return {"message": message.format_map({"subject_id": "", "face_id": "", **document}), "code": number}


def _status(status: int, code: str) -> int:
    return 400 if code in _AS_BAD_REQUEST else status
