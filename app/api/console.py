"""GET /: the console, a page for people. Its files are static and public; what it shows comes from the API."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from app.api.page_files import PageFiles

CONSOLE = Path(__file__).parent.parent / "console"

# blob: is a picture that the page itself holds. Trusted types: the page never parses text as HTML, and cannot.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Kept by the browser, but asked for again with its ETag: a new version is seen at once, and costs a 304 otherwise.
    "Cache-Control": "no-cache",
}


def install_console(app: FastAPI) -> None:
    """Serve the page at `/` and its files below `/console/assets`."""
    pages = PageFiles(CONSOLE, _HEADERS)

    async def page(request: Request) -> Response:
        return await pages.get_response("index.html", request.scope)

    app.add_route("/", page, methods=["GET"], include_in_schema=False)
    app.mount("/console/assets", PageFiles(CONSOLE / "assets", _HEADERS), name="console_assets")
