"""CompreFace's pages: by number, from 0, with totals."""

from pydantic import BaseModel, Field, field_validator

_MAX_SIZE = 2000  # Spring's, which CompreFace stands on: more than that is cut to it


class PageQuery(BaseModel):
    """Which page of a list."""

    page: int = Field(0, ge=0, le=2**31, description="number of the page, from 0")
    size: int = Field(20, ge=1, description="faces in a page; more than 2000 are cut to that")

    @field_validator("size")
    @classmethod
    def _at_most(cls, size: int) -> int:
        return min(size, _MAX_SIZE)

    @property
    def offset(self) -> int:
        """How many items come before the page."""
        return self.page * self.size


class Page(BaseModel):
    """What every page says of its list."""

    page_number: int
    page_size: int = Field(description="as it was asked for")
    total_pages: int
    total_elements: int


def page_facts(query: PageQuery, total: int) -> dict[str, int]:
    """The fields of `Page` for a list of `total` items."""
    return {
        "page_number": query.page,
        "page_size": query.size,
        "total_pages": -(-total // query.size),
        "total_elements": total,
    }
