"""What a server answers instead of a result, as the exceptions of app.errors, and two more that only a client has.

An exception that came from a server has its problem document (RFC 9457) in `problem`, with the `request_id` under
which the server's log has more; `facts` are the members that the code adds, such as `faces_found`.
"""

import email.utils
import json
from datetime import UTC, datetime
from typing import Any

import httpx

from app import errors
from app.errors import SamefaceError, Unavailable

_STANDARD = {"type", "title", "status", "detail", "code", "request_id", "field"}


class Unreachable(Unavailable):
    """No answer came: the server is not there, the connection broke or the time ran out."""

    code = "unreachable"


class UnexpectedAnswer(SamefaceError):
    """An answer that is no result and no problem document of a known code, as a proxy may give."""

    code = "unexpected_answer"


KINDS: dict[str, type[SamefaceError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SamefaceError) and kind.code != SamefaceError.code
}


def error_of(response: httpx.Response) -> SamefaceError:
    """The exception that an answer other than a result stands for."""
    document = _problem(response)
    if document is None:
        return UnexpectedAnswer(
            f"{_asked(response.request)} was answered {response.status_code} {response.reason_phrase}, and not by "
            "sameface; is this its address?",
            status=response.status_code,
        )
    return error_in(document)


def error_in(document: dict[str, Any]) -> SamefaceError:
    """The exception that a problem document stands for."""
    kind = KINDS.get(document["code"], UnexpectedAnswer)
    error = kind(str(document.get("detail", document["code"])), field=document.get("field"))
    error.facts = {name: value for name, value in document.items() if name not in _STANDARD}
    error.problem = document
    return error


def unreachable(request_error: httpx.RequestError, base_url: httpx.URL) -> Unreachable:
    """The exception for a request without an answer."""
    reason = str(request_error) or type(request_error).__name__
    shown = _without_password(base_url)
    return Unreachable(f"{shown} does not answer: {reason}", server=str(shown))


def retry_after_seconds(response: httpx.Response) -> float | None:
    """The header Retry-After, seconds or a date (RFC 9110, section 10.2.3); None where it is absent or unreadable."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    if response.headers.get("content-type", "").partition(";")[0] != "application/problem+json":
        return None
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("code"), str) else None


def _asked(request: httpx.Request) -> str:
    return f"{request.method} {_without_password(request.url).copy_with(query=None)}"


def _without_password(url: httpx.URL) -> httpx.URL:
    return url.copy_with(username=None, password=None)
