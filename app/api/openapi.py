"""What the OpenAPI document says beyond what FastAPI finds out by itself: both kinds of bodies, and every problem."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.api.answer_examples import EXAMPLES
from app.api.problem_examples import example_of
from app.api.problems import MEDIA_TYPE, STATUS
from app.api.schemas import Problem

Document = dict[str, Any]

EXAMPLE_IMAGE = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ..."

_SCHEMAS = "#/components/schemas/"

# Any request may meet these; whether the process is alive and ready is answered without them.
ANY_REQUEST = ("unauthenticated", "forbidden", "rate_limited", "overloaded", "deadline_exceeded")
_ANY_BODY = ("bad_request", "image_too_large", "unsupported_format")


def body(fields: type[BaseModel], example: Document) -> Document:
    """OpenAPI of a body that may be a form with files or JSON with base64; `example` is of the JSON."""
    form = fields.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": _binary_as_base64(form), "example": example},
            },
        }
    }


def problems(*codes: str) -> dict[int | str, Document]:
    """OpenAPI of the problems that a route answers, by status, with those that any request may meet."""
    by_status: dict[int | str, list[str]] = {}
    for code in dict.fromkeys((*codes, *ANY_REQUEST)):
        by_status.setdefault(STATUS[code], []).append(code)
    return {status: _answer(named) for status, named in sorted(by_status.items(), key=str)}


def body_problems(*codes: str) -> dict[int | str, Document]:
    """Like `problems`, for a route that reads a body."""
    return problems(*_ANY_BODY, *codes)


def image_problems(*codes: str) -> dict[int | str, Document]:
    """Like `problems`, for a route that reads photographs in its body."""
    return body_problems("unreadable_image", "not_ready", *codes)


def install_openapi(app: FastAPI) -> None:
    """Complete the document that FastAPI makes, once, when it is first asked for."""
    generate = app.openapi

    def complete() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate())
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _answer(codes: list[str]) -> Document:
    examples = {code: {"value": example_of(code)} for code in codes}
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}{Problem.__name__}"}, "examples": examples}}
    return {"description": " or ".join(f"`{code}`" for code in codes), "content": content}


def _completed(document: Document) -> Document:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas[Problem.__name__] = Problem.model_json_schema()
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    # FastAPI documents its own answer to a wrong parameter, which is a `bad_request` here.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        answers = operation["responses"]
        if _SCHEMAS + "HTTPValidationError" in str(answers.get("422")):
            del answers["422"]
    return document


def _binary_as_base64(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_binary_as_base64(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "binary":
        rest = {key: value for key, value in schema.items() if key != "format"}
        return rest | {"format": "byte", "contentEncoding": "base64", "description": "base64, plain or as a data URI"}
    return {key: _binary_as_base64(value) for key, value in schema.items()}
