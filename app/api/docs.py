"""GET /docs: the OpenAPI document as a page. Swagger UI comes from a Python package, so no other host is asked."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse

from app.api.page_files import PageFiles

_PAGE = Path(__file__).parent / "docs_page"

# Swagger UI writes styles into the page; scripts come from files only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def install_docs(app: FastAPI) -> None:
    """Serve the page and its assets."""
    app.add_route("/docs", _page, methods=["GET"], include_in_schema=False)
    assets = PageFiles(_PAGE, _HEADERS, packages=[("fastapi_swagger", "resources")])
    app.mount("/docs/assets", assets, name="docs_assets")


async def _page(request: Request) -> FileResponse:
    return FileResponse(_PAGE / "index.html", headers=_HEADERS)
