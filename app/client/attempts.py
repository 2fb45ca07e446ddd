"""One attempt of a request: the answer, or a failure that knows whether another attempt can help."""

from dataclasses import dataclass
from typing import TypeVar

import httpx

from app.client.call import Call
from app.client.errors import UnexpectedAnswer, error_of, retry_after_seconds
from app.client.retries import RETRIED_STATUSES, Retries
from app.errors import SamefaceError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt without a result, whether another can help, and when the server wants it."""

    error: SamefaceError
    repeatable: bool = True
    retry_after_seconds: float | None = None

    def wait_seconds(self, retries: Retries, failures: int) -> float:
        """How long to wait before the next attempt; raises the error where there is none."""
        wait_seconds = retries.wait_seconds(failures, self.retry_after_seconds) if self.repeatable else None
        if wait_seconds is None:
            raise self.error
        return wait_seconds


def outcome_of(call: Call[T], response: httpx.Response) -> httpx.Response | Failure:
    if response.status_code in call.answers:
        return response
    error = error_of(response)
    # An erasure that is stored, but not known to every search yet: asked for again, nobody would be there to erase.
    is_stored = call.method == "DELETE" and "revision" in error.facts
    repeatable = response.status_code in RETRIED_STATUSES and not is_stored
    return Failure(error, repeatable, retry_after_seconds(response))


def read(call: Call[T], response: httpx.Response) -> T:
    try:
        return call.read(response.content)
    except ValueError as error:  # pydantic's and json's are of this kind
        raise UnexpectedAnswer(
            f"the answer to {call.method} {call.path} is not what this version expects; is this the address of "
            f"sameface, and of which version? {error}"
        ) from error
