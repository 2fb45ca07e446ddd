"""Lists in pages: `?limit=100&cursor=...` -> `{"items": [...], "next_cursor": ...}`.

A cursor names the last item of a page, and is bound to the list that it came from: a damaged one, or one of another
list, is a bad request and never a page of something else.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.errors import BadRequest

Item = TypeVar("Item")

MAX_PAGE_ITEMS = 1000
_DIGEST_BYTES = 8


class PageQuery(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(100, ge=1, le=MAX_PAGE_ITEMS, description="most items in a page")
    cursor: str | None = Field(None, max_length=1024, description="`next_cursor` of the page before; none: the first")

    def after(self, of: str) -> str | None:
        """The item that the page of the list `of` follows. Raises BadRequest for a cursor that is not of this list."""
        return None if self.cursor is None else _decode(of, self.cursor)


NextCursor = Annotated[str | None, Field(description="`cursor` of the next page; null on the last")]


def page(found: Sequence[Item], limit: int, of: str, name: Callable[[Item], str]) -> tuple[Sequence[Item], str | None]:
    """The items of a page and the cursor of the next one, from up to `limit` + 1 items that were found."""
    if len(found) <= limit:
        return found, None
    return found[:limit], _encode(of, name(found[limit - 1]))


def _encode(of: str, after: str) -> str:
    return base64.urlsafe_b64encode(_digest(of, after) + after.encode()).decode().rstrip("=")


def _decode(of: str, cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        after = base64.b64decode(padded, altchars=b"-_", validate=True)[_DIGEST_BYTES:].decode()
        if _encode(of, after) == cursor:
            return after
    except ValueError:
        pass
    raise BadRequest("this is not a cursor of this list; begin without one", field="cursor")


def _digest(of: str, after: str) -> bytes:
    return hashlib.sha256(f"{of}\0{after}".encode()).digest()[:_DIGEST_BYTES]
