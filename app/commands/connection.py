"""Where a command's questions go: to a running service, or to the same service opened in this process.

Either way they are asked through the client and answered by the same routes, so that both give the same answers and
the same errors. In this process no key is asked for: who runs the command has the database at hand.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.client import AsyncSameface
    from app.settings import Settings

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="SAMEFACE_SERVER",
        help="URL of a running service. Left out, the command does the work itself, with the database and the model "
        "that SAMEFACE_ variables name.",
        show_default=False,
    ),
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option("--api-key", envvar="SAMEFACE_API_KEY", help="API key for --server.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
_MOST_JOBS = 64
DEFAULT_JOBS = min(os.cpu_count() or 1, _MOST_JOBS)
JobsOption = Annotated[int, typer.Option(min=1, max=_MOST_JOBS, help="Requests at once; by default one a core.")]
GalleryOption = Annotated[str, typer.Option("--gallery", help="Name of the gallery.")]

# Nobody else waits for what a command does by itself.
_LOCAL_DEADLINE_SECONDS = 600.0


@asynccontextmanager
async def connected(server: str | None, api_key: str | None) -> "AsyncIterator[AsyncSameface]":
    """A client of the service at `server`, or of one in this process where there is none."""
    from app.client import AsyncSameface, BadRequest, Retries

    if server is None:
        async with _in_process(local_settings()) as client:
            yield client
        return
    try:
        client = AsyncSameface(server, api_key=api_key, retries=Retries(attempts=8))
    except ValueError as error:
        raise BadRequest(f"--server: {error}") from None
    async with client:
        yield client


def local_settings() -> "Settings":
    """The settings for work in this process: it listens nowhere and hurries for nobody."""
    from app.terminal import quiet_settings

    return quiet_settings(host="127.0.0.1", request_deadline_seconds=_LOCAL_DEADLINE_SECONDS)


@asynccontextmanager
async def _in_process(settings: "Settings") -> "AsyncIterator[AsyncSameface]":
    import httpx

    from app.api.access import of_operator
    from app.client import AsyncSameface
    from app.main import create_app

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(of_operator(app))
        async with AsyncSameface(
            "http://localhost", timeout_seconds=_LOCAL_DEADLINE_SECONDS, transport=transport
        ) as client:
            yield client
