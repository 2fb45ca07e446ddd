"""Ids in paths. A subject may be called `a/b`, which a caller writes `a%2Fb`.

Servers decode the path before it is routed, and what was one segment would become two. So an encoded slash goes
through routing as a character that no id contains, and turns into a slash where the id is read.
"""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Path
from pydantic import BeforeValidator
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.fields import GalleryName, SubjectId

_SLASH = "\ufdd0"


class EncodedSlashes:
    """Middleware that keeps encoded slashes apart from those that separate segments."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path: bytes | None = scope.get("raw_path")
        if scope["type"] == "http" and raw_path is not None and b"%2f" in raw_path.lower():
            path = raw_path.decode("latin-1").replace("%2f", "%2F").replace("%2F", _SLASH)
            scope["path"] = unquote(path)  # in place: the log is told of the route in the same scope
        await self._app(scope, receive, send)


def _with_slashes(value: object) -> object:
    return value.replace(_SLASH, "/") if isinstance(value, str) else value


SubjectInPath = Annotated[
    SubjectId,
    BeforeValidator(_with_slashes),
    Path(description="a slash in the id is written %2F", examples=["emp-0042"]),
]
FaceInPath = Annotated[
    str,
    BeforeValidator(_with_slashes),
    Path(max_length=128, json_schema_extra={"format": "uuid"}, examples=["6f1e7c1c-3b0e-4b43-9c55-3d7b5d2f7c11"]),
]
GalleryInPath = Annotated[
    GalleryName, BeforeValidator(_with_slashes), Path(description="name of a gallery", examples=["staff"])
]
