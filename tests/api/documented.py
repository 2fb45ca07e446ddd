"""What is answered, held against an OpenAPI document."""

import re
from typing import Any

import httpx


def assert_in_document(response: httpx.Response, document: dict[str, Any]) -> None:
    """The document knows the status of this answer, if it knows the path."""
    path = response.request.url.raw_path.decode().partition("?")[0]
    for template, operations in document["paths"].items():
        operation = operations.get(response.request.method.lower())
        if operation and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            assert str(response.status_code) in operation["responses"], f"{template} answered {response.status_code}"
