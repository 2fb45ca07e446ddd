"""Request bodies to checked fields: a multipart form or a JSON object, under the same names.

Photographs stay in memory: a form's files are never spooled to disk.
"""

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.api.access import check_gallery
from app.api.fields import MAX_PARTS, read_json
from app.api.problems import bad_request
from app.errors import BadRequest, UnsupportedFormat

Fields = TypeVar("Fields", bound=BaseModel)

_MULTIPART, _JSON = b"multipart/form-data", b"application/json"


async def read_fields(request: Request, model: type[Fields]) -> Fields:
    """The body as `model`. Raises BadRequest naming its faults, or UnsupportedFormat for another content type.

    A field `gallery` must be one that the caller's key reaches; Forbidden otherwise.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type == _MULTIPART:
        given = await _read_form(request, options)
    elif content_type == _JSON:
        given = _read_json(await request.body())
    else:
        raise UnsupportedFormat(
            f"the content type is {content_type.decode('latin-1') or 'missing'}; send multipart/form-data or "
            "application/json",
            field="Content-Type",
        )
    _check_address(request, model)
    try:
        fields = model.model_validate(given)
    except ValidationError as error:
        raise bad_request(error.errors(include_url=False, include_context=False, include_input=False)) from None
    if isinstance(gallery := getattr(fields, "gallery", None), str):
        check_gallery(request, gallery)
    return fields


def _check_address(request: Request, model: type[BaseModel]) -> None:
    """Raise BadRequest for a field of the body that stands in the address, where it would be passed over."""
    for name, field in model.model_fields.items():
        aliases = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else [name]
        for given in aliases:
            if given in request.query_params:
                raise BadRequest(f"{given} is given in the address; it belongs into the body", field=str(given))


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        given = read_json(body)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object")
    # Each unknown one becomes a fault of its own, which takes a thousand times its bytes.
    if len(given) > MAX_PARTS:
        raise BadRequest(f"the body has {len(given)} members; the limit is {MAX_PARTS}")
    return given


async def _read_form(request: Request, options: dict[bytes, bytes]) -> dict[str, Any]:
    """Field name to value, or to the list of values where a name is repeated."""
    # Python's codecs include some that take quadratic time, and no client needs another.
    if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise BadRequest("the form's charset must be utf-8", field="Content-Type")
    try:
        form = await _MemoryParser(request).parse()
    except MultiPartException as error:
        raise BadRequest(f"the form is malformed: {error.message}") from None
    given: dict[str, list[Any]] = {}
    try:
        for name, value in form.multi_items():
            given.setdefault(name, []).append(await value.read() if isinstance(value, UploadFile) else value)
    finally:
        await form.close()
    return {name: values[0] if len(values) == 1 else values for name, values in given.items()}


class _MemoryParser(MultiPartParser):
    # The size of the whole body is bounded before it gets here; see app.api.limits.
    spool_max_size = 2**62

    def __init__(self, request: Request) -> None:
        limits = {"max_files": MAX_PARTS, "max_fields": MAX_PARTS, "max_part_size": self.spool_max_size}
        super().__init__(request.headers, self._to_the_end(request), **limits)
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _to_the_end(self, request: Request) -> AsyncGenerator[bytes, None]:
        """The body; one that stops before its last boundary is no form, and half a photograph no photograph."""
        async for chunk in request.stream():
            yield chunk
        if not self._ended:
            raise MultiPartException("it ends before its last boundary")
