"""GET /: the console, a page for people. Its files are static and public; what it shows comes from the API."""

import os
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

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


class _ConsoleFiles(StaticFiles):
    """Static files under the console's headers."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        return response


def install_console(app: FastAPI) -> None:
    """Serve the page at `/` and its files below `/console/assets`."""
    pages = _ConsoleFiles(directory=CONSOLE)

    async def page(request: Request) -> Response:
        return await pages.get_response("index.html", request.scope)

    app.add_route("/", page, methods=["GET"], include_in_schema=False)
    app.mount("/console/assets", _ConsoleFiles(directory=CONSOLE / "assets"), name="console_assets")
